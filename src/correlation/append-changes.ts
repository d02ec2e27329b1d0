import type { Kysely } from 'kysely'
import { rows, statement } from '../database/statement.ts'
import type { Tables } from '../database/tables.ts'
import type { Change } from './working-set.ts'

/** The channel on which every commit that appends to the feed announces it. */
export const changesChannel = 'thingspace_changes'

/** An arbitrary number, the same for every writer of the feed. */
const feedLock = 7_202_611

/**
 * Appends to the feed. The lock is taken before the numbers are drawn and held until the commit is visible, so a reader
 * that has seen a number can never be shown a smaller one later. This costs writers a short queue at commit; reading
 * only below the oldest running transaction would instead let any stalled one hold up every reader.
 */
export async function appendChanges(db: Kysely<Tables>, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return
  const numbered = changes.map((change, position) => ({
    position,
    at: change.at,
    kind: change.kind,
    account_name: change.accountName,
    request_id: change.requestId,
    iccid: change.iccid,
    eid: change.eid,
    was: change.was,
    becomes: change.becomes,
    callback_id: change.callbackId,
    source: change.source,
    profile: change.profile,
  }))
  await append.execute(db, numbered)
}

/**
 * The lock is taken before the rows are put in order, and only then is a number drawn for each row. The hint for
 * waiting readers is delivered at commit, and nobody relies on it.
 */
const append = statement`
  insert into changes (at, kind, account_name, request_id, iccid, eid, was, becomes, callback_id, source, profile)
  select at, kind, account_name, request_id, iccid, eid, was, becomes, callback_id, source, profile
  from (select pg_advisory_xact_lock(${String(feedLock)}), pg_notify('${changesChannel}', '')) as locked, ${rows(
    `position integer, at timestamptz, kind text, account_name text, request_id text, iccid text, eid text, was json,
     becomes json, callback_id uuid, source text, profile json`,
  )}
  order by position`
