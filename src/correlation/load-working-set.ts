import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import { together } from '../database/together.ts'
import { loadProfiles } from './load-profiles.ts'
import { loadTargets } from './load-targets.ts'
import type { ActivationState, Arrival, WorkingSet } from './working-set.ts'

/** Everything that these reports can touch, under lock. The activations are locked already. */
export async function loadWorkingSet(
  db: Kysely<Tables>,
  now: Date,
  activations: readonly ActivationState[],
  arrivals: readonly Arrival[],
): Promise<WorkingSet> {
  const byId = new Map(activations.map(activation => [activation.id, activation]))
  const recorded = arrivals.filter(arrival => byId.get(arrival.activationId)?.recorded)
  const [targets, profiles] = await together([loadTargets(db, recorded), loadProfiles(db, now, byId, arrivals)])
  return { now, activations: byId, targets, profiles, changes: [] }
}
