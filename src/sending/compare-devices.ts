import { type Kysely, sql } from 'kysely'
import { matchTarget } from '../activations/match-target.ts'
import { candidates } from '../correlation/candidates.ts'
import { loadTargets } from '../correlation/load-targets.ts'
import type { Tables } from '../database/tables.ts'
import type { Identifiers } from '../thingspace/report.ts'

const atOnce = 500

/**
 * Whether all devices that one activation's callbacks mention are targets of another activation, and how many targets
 * these are. Both may be 10,000: the targets are read in parts, and the first device that is no target ends it.
 */
export async function compareDevices(
  db: Kysely<Tables>,
  spokenOfId: string,
  askedForId: string,
): Promise<{ isAllAskedFor: boolean; askedFor: number }> {
  const found = new Set<number>()
  const spokenOf = await loadSpokenOf(db, spokenOfId)
  for (let from = 0; from < spokenOf.length; from += atOnce) {
    const part = spokenOf.slice(from, from + atOnce)
    const wanted = part.map(identifiers => ({ activationId: askedForId, report: { identifiers } }))
    const targets = (await loadTargets(db, wanted)).get(askedForId) ?? []
    for (const identifiers of part) {
      const target = matchTarget(candidates(targets, identifiers), identifiers)
      if (target === null) return { isAllAskedFor: false, askedFor: found.size }
      found.add(target.number)
    }
  }
  return { isAllAskedFor: true, askedFor: found.size }
}

/** All at once: there is no order in which an index could give them in parts. */
async function loadSpokenOf(db: Kysely<Tables>, activationId: string): Promise<Identifiers[]> {
  const { rows } = await sql<Identifiers>`
    select distinct eid, iccid, imei from results where activation_id = ${activationId}`.execute(db)
  return rows
}
