import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import { together } from '../database/together.ts'
import { loadLateProfiles, lockProfiles, profileNamesOf } from './load-profiles.ts'
import { byActivation, loadTargets } from './load-targets.ts'
import type { ActivationState, Arrival, ProfileState, TargetState, WorkingSet } from './working-set.ts'

/** Everything that these reports can touch, locked. The activations are locked already. */
export async function loadWorkingSet(
  db: Kysely<Tables>,
  now: Date,
  activations: readonly ActivationState[],
  arrivals: readonly Arrival[],
): Promise<WorkingSet> {
  const byId = new Map(activations.map(activation => [activation.id, activation]))
  const profiles = await lockProfiles(db, now, profileNamesOf(byId, arrivals))
  return completeWorkingSet(db, now, activations, arrivals, { targets: [], profiles })
}

/**
 * Loads what is still missing after the first pass: targets of reports whose ICCID was not asked for, and the earlier
 * messages of profiles where a report must be inserted before others. Most batches need neither, and no round trip.
 */
export async function completeWorkingSet(
  db: Kysely<Tables>,
  now: Date,
  activations: readonly ActivationState[],
  arrivals: readonly Arrival[],
  known: { targets: readonly TargetState[]; profiles: Map<string, ProfileState> },
): Promise<WorkingSet> {
  const byId = new Map(activations.map(activation => [activation.id, activation]))
  const targets = byActivation(known.targets)
  const unmatched = arrivals.filter(
    arrival => byId.get(arrival.activationId)?.recorded && !isAskedFor(targets, arrival),
  )
  const [more] = await together([loadTargets(db, unmatched), loadLateProfiles(db, byId, arrivals, known.profiles)])
  for (const [activationId, found] of more) {
    const before = targets.get(activationId) ?? []
    const numbers = new Set(before.map(({ number }) => number))
    targets.set(activationId, [...before, ...found.filter(({ number }) => !numbers.has(number))])
  }
  return { now, activations: byId, targets, profiles: known.profiles, changes: [] }
}

/** A report can't mean any other target than the one that was asked for by its very ICCID. */
function isAskedFor(targets: ReadonlyMap<string, TargetState[]>, { activationId, report }: Arrival): boolean {
  const { iccid } = report.identifiers
  if (iccid === null) return false
  return targets.get(activationId)?.some(target => target.requested && target.iccid === iccid) ?? false
}
