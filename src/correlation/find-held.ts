import { type Kysely, sql } from 'kysely'
import { rowsOf } from '../database/rows.ts'
import type { Tables } from '../database/tables.ts'
import { together } from '../database/together.ts'
import type { ProfileName } from './load-profiles.ts'
import type { RequestName } from './lock-activations.ts'
import { profileKey } from './working-set.ts'

export interface Held {
  request(name: RequestName): boolean
  profile(name: ProfileName): boolean
}

/**
 * Which of these rows another transaction holds right now. Never waits: a row that exists and can't be locked is held.
 * Run it in a transaction of its own that ends at once.
 */
export async function findHeld(
  db: Kysely<Tables>,
  requests: readonly RequestName[],
  profiles: readonly ProfileName[],
): Promise<Held> {
  const requestRows = rowsOf(requests, '"requestId" text, "accountName" text')
  const profileRows = rowsOf(profiles, 'iccid text, "accountName" text')
  const knownRequests = sql`
    from ${requestRows} join activations a on a.request_id = r."requestId" and a.account_name = r."accountName"`
  const knownProfiles = sql`
    from ${profileRows} join profiles p on p.iccid = r.iccid and p.account_name = r."accountName"`
  const [existing, free, existingProfiles, freeProfiles] = await together([
    sql<RequestName>`select r."requestId", r."accountName" ${knownRequests}`.execute(db),
    sql<RequestName>`select r."requestId", r."accountName" ${knownRequests} for update of a skip locked`.execute(db),
    sql<ProfileName>`select r.iccid, r."accountName" ${knownProfiles}`.execute(db),
    sql<ProfileName>`select r.iccid, r."accountName" ${knownProfiles} for update of p skip locked`.execute(db),
  ])
  const heldRequests = difference(existing.rows.map(requestKey), free.rows.map(requestKey))
  const heldProfiles = difference(existingProfiles.rows.map(nameKey), freeProfiles.rows.map(nameKey))
  return {
    request: name => heldRequests.has(requestKey(name)),
    profile: name => heldProfiles.has(nameKey(name)),
  }
}

function requestKey({ requestId, accountName }: RequestName): string {
  return `${requestId} ${accountName}`
}

function nameKey({ accountName, iccid }: ProfileName): string {
  return profileKey(accountName, iccid)
}

function difference(all: readonly string[], some: readonly string[]): Set<string> {
  return new Set(all).difference(new Set(some))
}
