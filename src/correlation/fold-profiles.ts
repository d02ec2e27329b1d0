import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import { profileFrom } from '../profiles/profile.ts'
import { changeProfile } from './apply-report.ts'
import { loadMessagesOf, lockProfiles } from './load-profiles.ts'
import type { ActivationState, Arrival, WorkingSet } from './working-set.ts'

/**
 * Folds the profiles that these reports name again, from every stored message about them: for when known messages have
 * changed their place in the order, or are read differently. The reports must have been saved.
 */
export async function foldProfiles(
  db: Kysely<Tables>,
  set: WorkingSet,
  activation: ActivationState,
  arrivals: readonly Arrival[],
): Promise<void> {
  const lastToName = new Map(
    arrivals.flatMap(arrival => {
      const { iccid } = arrival.report.identifiers
      return iccid === null ? [] : [[iccid, arrival] as const]
    }),
  )
  const names = [...lastToName.keys()].map(iccid => ({ accountName: activation.accountName, iccid }))
  set.profiles = await lockProfiles(db, set.now, names)
  await loadMessagesOf(db, set.profiles, names)
  for (const state of set.profiles.values()) {
    const cause = lastToName.get(state.iccid)
    if (cause !== undefined) changeProfile(set, state, profileFrom(state.messages ?? []), activation, cause)
  }
}
