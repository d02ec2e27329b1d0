import { imeiBase, sameImei } from '../thingspace/identifiers.ts'
import type { Identifiers } from '../thingspace/read-callback.ts'

export interface AskedFor extends Identifiers {
  number: number
  requested: boolean
}

/**
 * The target that a message speaks of, or null. The most specific identifier that both name decides: ICCID, then EID,
 * then IMEI. So two profiles of one device stay apart, and a target asked for by EID + IMEI (consumer eSIM, where the
 * carrier makes the ICCID) still finds its message. Of several, the most specific match wins, then the first asked for.
 *
 * Only what was asked for is compared, never what was learned since: else the order of arrival would decide.
 */
export function matchTarget<T extends AskedFor>(targets: readonly T[], named: Identifiers): T | null {
  let best: T | null = null
  let bestRank = Number.POSITIVE_INFINITY
  for (const target of targets) {
    const rank = target.requested ? matchRank(target, named) : unrequestedRank(target, named)
    const better = rank < bestRank || (rank === bestRank && best !== null && target.number < best.number)
    if (rank !== noMatch && better) [best, bestRank] = [target, rank]
  }
  return best
}

/** A device nobody asked for is told from others by its most specific identifier alone. */
export function unrequestedIdentifiers(named: Identifiers): Identifiers {
  if (named.iccid !== null) return { iccid: named.iccid, eid: null, imei: null }
  if (named.eid !== null) return { iccid: null, eid: named.eid, imei: null }
  return { iccid: null, eid: null, imei: named.imei }
}

/** Two entries of one request that mean the same device have the same key. */
export function targetKey(asked: Identifiers): string {
  if (asked.iccid !== null) return `iccid ${asked.iccid}`
  if (asked.eid !== null) return `eid ${asked.eid}`
  return `imei ${imeiBase(asked.imei ?? '')}`
}

const noMatch = Number.POSITIVE_INFINITY

function matchRank(asked: Identifiers, named: Identifiers): number {
  if (asked.iccid !== null && named.iccid !== null) return asked.iccid === named.iccid ? 1 : noMatch
  if (asked.eid !== null && named.eid !== null) return asked.eid === named.eid ? 2 : noMatch
  if (asked.imei !== null && named.imei !== null) return sameImei(asked.imei, named.imei) ? 3 : noMatch
  return noMatch
}

/** Ranks behind every requested match. */
function unrequestedRank(target: Identifiers, named: Identifiers): number {
  return targetKey(target) === targetKey(unrequestedIdentifiers(named)) ? 4 : noMatch
}
