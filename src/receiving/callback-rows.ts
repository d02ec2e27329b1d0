import type { Kysely } from 'kysely'
import { rows, statement } from '../database/statement.ts'
import type { Tables } from '../database/tables.ts'
import type { Write } from '../database/write-together.ts'
import type { IncomingCallback } from './incoming-callback.ts'
import type { StoredVerdict } from './verdict.ts'

export interface NewCallback {
  callback: IncomingCallback
  activationId: string | null
  verdict: StoredVerdict
  /** How often it came in this batch, and the highest count that it carried. */
  timesSeen: number
  highestCallbackCount: number | null
}

/** Ids of those callbacks that are stored already, by fingerprint. */
export async function findStored(
  db: Kysely<Tables>,
  callbacks: readonly IncomingCallback[],
): Promise<Map<string, string>> {
  const wanted = callbacks.flatMap(({ accountName, fingerprint, reading: { requestId } }) =>
    requestId === null ? [] : [{ accountName, requestId, fingerprint }],
  )
  const found = await findByFingerprint.execute(db, wanted)
  return new Map(found.map(row => [row.fingerprint, row.id]))
}

const findByFingerprint = statement<{ id: string; fingerprint: string }>`
  with wanted as materialized (
    select a.id, r.fingerprint from ${rows('"accountName" text, "requestId" text, fingerprint uuid')}
    join activations a on a.request_id = r."requestId" and a.account_name = r."accountName"
  )
  select c.id, c.fingerprint from wanted w
  join callbacks c on c.activation_id = w.id and c.fingerprint = w.fingerprint`

/**
 * Callbacks of known requests. The unique key has the last word: if one were stored already, which the lock on its
 * activation rules out, the transaction would fail and start over.
 */
export function callbacksToInsert(callbacks: readonly NewCallback[], now: Date): Write {
  return { statement: insertNew, rows: rowsOfNew(callbacks, now) }
}

/**
 * Inserts callbacks that name no request. No lock keeps another transaction from storing the same one, so the unique
 * key decides, and the ids of those that are stored are returned by fingerprint.
 */
export async function insertNameless(
  db: Kysely<Tables>,
  callbacks: readonly NewCallback[],
  now: Date,
): Promise<Map<string, string>> {
  const stored = await insertOrCount.execute(db, rowsOfNew(callbacks, now))
  return new Map(stored.map(row => [row.fingerprint, row.id]))
}

const newCallbacks = rows(
  `id uuid, account_name text, service_name text, activation_id bigint, fingerprint uuid, verdict text, reason text,
   received_at timestamptz, last_seen_at timestamptz, times_seen integer, highest_callback_count integer, body jsontext,
   sealed bytea, seal_key_id text`,
)

// Both in the order of the fingerprints, so that two transactions never deadlock.
const insertNew = statement`insert into callbacks select * from ${newCallbacks} order by fingerprint`

const insertOrCount = statement<{ id: string; fingerprint: string }>`
  insert into callbacks as c select * from ${newCallbacks} order by fingerprint
  on conflict on constraint callbacks_same_message do update set
    -- The same id: this very delivery was committed, and the answer to that got lost.
    times_seen = c.times_seen + case when c.id = excluded.id then 0 else excluded.times_seen end,
    last_seen_at = greatest(c.last_seen_at, excluded.last_seen_at),
    highest_callback_count = greatest(c.highest_callback_count, excluded.highest_callback_count)
  returning c.id, c.fingerprint`

function rowsOfNew(callbacks: readonly NewCallback[], now: Date): object[] {
  return callbacks.map(({ callback, activationId, verdict, timesSeen, highestCallbackCount }) => ({
    id: callback.id,
    account_name: callback.accountName,
    service_name: callback.serviceName,
    activation_id: activationId,
    fingerprint: callback.fingerprint,
    verdict,
    reason: callback.reading.reason,
    received_at: now,
    last_seen_at: now,
    times_seen: timesSeen,
    highest_callback_count: highestCallbackCount,
    body: callback.body,
    sealed: callback.sealed === null ? null : `\\x${callback.sealed.toString('hex')}`,
    seal_key_id: callback.sealKeyId,
  }))
}

export interface Repeat {
  id: string
  timesSeen: number
  highestCallbackCount: number | null
}

/** Counts deliveries of messages that are stored already. */
export async function countRepeats(db: Kysely<Tables>, repeats: readonly Repeat[], now: Date): Promise<void> {
  await countDeliveries.execute(
    db,
    repeats.map(repeat => ({ ...repeat, now })),
  )
}

const countDeliveries = statement`
  update callbacks c set
    times_seen = c.times_seen + r."timesSeen", last_seen_at = greatest(c.last_seen_at, r.now),
    highest_callback_count = greatest(c.highest_callback_count, r."highestCallbackCount")
  from ${rows('id uuid, "timesSeen" integer, "highestCallbackCount" integer, now timestamptz')}
  where c.id = r.id`
