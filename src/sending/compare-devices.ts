import { type Kysely, sql } from 'kysely'
import { matchTarget } from '../activations/match-target.ts'
import { candidates } from '../correlation/candidates.ts'
import { loadTargets } from '../correlation/load-targets.ts'
import type { Tables } from '../database/tables.ts'
import type { Identifiers } from '../thingspace/report.ts'

const atOnce = 500

/**
 * Whether all devices that one activation's callbacks mention are targets of another activation, and how many targets
 * these are. Both may be 10,000, so they are read in parts; the first device that is no target ends it.
 */
export async function compareDevices(
  db: Kysely<Tables>,
  spokenOfId: string,
  askedForId: string,
): Promise<{ isAllAskedFor: boolean; askedFor: number }> {
  const found = new Set<number>()
  let part = await loadSpokenOf(db, spokenOfId, null)
  for (;;) {
    const wanted = part.map(({ identifiers }) => ({ activationId: askedForId, report: { identifiers } }))
    const targets = (await loadTargets(db, wanted)).get(askedForId) ?? []
    for (const { identifiers } of part) {
      const target = matchTarget(candidates(targets, identifiers), identifiers)
      if (target === null) return { isAllAskedFor: false, askedFor: found.size }
      found.add(target.number)
    }
    const last = part.at(-1)
    if (last === undefined || part.length < atOnce) return { isAllAskedFor: true, askedFor: found.size }
    part = await loadSpokenOf(db, spokenOfId, last)
  }
}

interface SpokenOf {
  sourceId: string
  ordinal: number
  identifiers: Identifiers
}

async function loadSpokenOf(db: Kysely<Tables>, activationId: string, after: SpokenOf | null): Promise<SpokenOf[]> {
  const { rows } = await sql<SpokenOf>`
    select source_id as "sourceId", ordinal, json_build_object('eid', eid, 'iccid', iccid, 'imei', imei) as identifiers
    from results
    where activation_id = ${activationId}
      and (${after === null} or (source_id, ordinal) > (${after?.sourceId ?? null}::uuid, ${after?.ordinal ?? null}::int))
    order by source_id, ordinal limit ${atOnce}`.execute(db)
  return rows
}
