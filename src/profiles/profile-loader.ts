import DataLoader from 'dataloader'
import type { SeenBy } from '../database/seen-by.ts'
import type { Accounts } from '../operating/access.ts'
import type { IdentifierKind } from '../thingspace/identifiers.ts'
import { type FoundProfile, findDevices, findProfiles } from './find-profiles.ts'

export interface ProfileLoader {
  device(kind: IdentifierKind, id: string, accounts: Accounts): Promise<FoundProfile[]>
  profile(iccid: string, accounts: Accounts): Promise<FoundProfile | null>
}

/** As many as may share a query: each of them waits for all. */
const atOnce = 200

/**
 * Those who ask for a device or a profile in the same turn of the event loop share a round trip: a flood of polls is a
 * few queries. Nothing is kept from one turn to the next. Only who sees the same accounts shares a query.
 */
export function createProfileLoader(seenBy: SeenBy): ProfileLoader {
  const devices = new Map<string, DataLoader<string, FoundProfile[]>>()
  const profiles = new Map<string, DataLoader<string, FoundProfile | null>>()
  return {
    device: (kind, id, accounts) =>
      loaderOf(devices, JSON.stringify([kind, accounts]), ids =>
        findDevices(seenBy(accounts), kind, ids, accounts),
      ).load(id),
    profile: (iccid, accounts) =>
      loaderOf(profiles, JSON.stringify(accounts), iccids => findProfiles(seenBy(accounts), iccids, accounts)).load(
        iccid,
      ),
  }
}

/** A loader lasts as long as its batch is gathered, so that there are no more of them than askers. */
function loaderOf<Found>(
  loaders: Map<string, DataLoader<string, Found>>,
  key: string,
  find: (ids: readonly string[]) => Promise<Found[]>,
): DataLoader<string, Found> {
  const gathering = loaders.get(key)
  if (gathering !== undefined) return gathering
  const loader = new DataLoader<string, Found>(ids => find(ids), {
    cache: false,
    maxBatchSize: atOnce,
    // Requests come on connections of their own: those that were read in this turn are all known at its end.
    batchScheduleFn: callback =>
      setImmediate(() => {
        loaders.delete(key)
        callback()
      }),
  })
  loaders.set(key, loader)
  return loader
}
