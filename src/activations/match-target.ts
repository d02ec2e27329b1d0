import { imeiBase, sameImei } from '../thingspace/identifiers.ts'
import type { Identifiers } from '../thingspace/report.ts'

export interface AskedFor extends Identifiers {
  number: number
  requested: boolean
}

/**
 * The target that a message speaks of, or null. The most specific identifier that both name decides: ICCID, then EID,
 * then IMEI. So two profiles of one device stay apart, and a target asked for by EID + IMEI (consumer eSIM, where the
 * carrier makes the ICCID) still finds its message. Of several candidates, the one asked for by exactly that identifier
 * is meant.
 *
 * A device-level message (EID only), when several profiles of that device were asked for, says nothing about any one of
 * them: it is a result of its own, kept as an unrequested target ([DOC] suspend-device: "one final callback at the
 * device level").
 *
 * Only what was asked for is compared, never what was learned later: otherwise the order of arrival would decide.
 */
export function matchTarget<T extends AskedFor>(targets: readonly T[], named: Identifiers): T | null {
  const unrequestedKey = targetKey(unrequestedIdentifiers(named))
  let best: T | null = null
  let bestRank = noMatch
  let unrequested: T | null = null
  for (const target of targets) {
    if (!target.requested) {
      if (targetKey(target) === unrequestedKey) unrequested = target
      continue
    }
    const rank = matchRank(target, named)
    if (rank === noMatch || rank > bestRank) continue
    best = rank === bestRank ? null : target
    bestRank = rank
  }
  return best ?? unrequested
}

/** A device that nobody asked for is told apart from others by its most specific identifier alone. */
export function unrequestedIdentifiers(named: Identifiers): Identifiers {
  if (named.iccid !== null) return { iccid: named.iccid, eid: null, imei: null }
  if (named.eid !== null) return { iccid: null, eid: named.eid, imei: null }
  return { iccid: null, eid: null, imei: named.imei }
}

/** Equal for two entries of one request that mean the same device. */
export function targetKey(asked: Identifiers): string {
  if (asked.iccid !== null) return `iccid ${asked.iccid}`
  if (asked.eid !== null) return `eid ${asked.eid}`
  return `imei ${imeiBase(asked.imei ?? '')}`
}

const noMatch = Number.POSITIVE_INFINITY

function matchRank(asked: Identifiers, named: Identifiers): number {
  if (asked.iccid !== null && named.iccid !== null) return asked.iccid === named.iccid ? 1 : noMatch
  if (asked.eid !== null && named.eid !== null) {
    if (asked.eid !== named.eid) return noMatch
    return asked.iccid === null ? 2 : 3
  }
  if (asked.imei !== null && named.imei !== null) {
    if (!sameImei(asked.imei, named.imei)) return noMatch
    return asked.iccid === null && asked.eid === null ? 4 : 5
  }
  return noMatch
}
