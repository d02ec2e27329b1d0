import { type Kysely, sql } from 'kysely'
import type { ActivationState } from '../correlation/working-set.ts'
import { StartOver } from '../database/refusal.ts'
import { rowsOf } from '../database/rows.ts'
import type { Tables } from '../database/tables.ts'
import type { IncomingCallback } from './incoming-callback.ts'
import type { StoredVerdict } from './verdict.ts'

export interface NewCallback {
  callback: IncomingCallback
  activationId: string | null
  verdict: StoredVerdict
}

export interface InsertedCallback {
  id: string
  /** null when the unique key found the same message, stored by another transaction meanwhile. */
  verdict: StoredVerdict | null
}

/** Ids of the callbacks among these that are stored already, by fingerprint. */
export async function findStored(
  db: Kysely<Tables>,
  callbacks: readonly IncomingCallback[],
  activationOf: (callback: IncomingCallback) => ActivationState | null,
): Promise<Map<string, string>> {
  const wanted = callbacks.flatMap(callback => {
    const activation = activationOf(callback)
    return activation === null ? [] : [{ a: activation.id, f: callback.fingerprint }]
  })
  if (wanted.length === 0) return new Map()
  const { rows } = await sql<{ id: string; fingerprint: string }>`
    select c.id, c.fingerprint from ${rowsOf(wanted, 'a bigint, f uuid')}
    join callbacks c on c.activation_id = r.a and c.fingerprint = r.f`.execute(db)
  return new Map(rows.map(row => [row.fingerprint, row.id]))
}

/**
 * Inserts, and lets the unique key have the last word: a message that another transaction stored meanwhile is counted
 * there. That can only happen to one without a request, since all others are stored under their activation's lock.
 */
export async function insertCallbacks(
  db: Kysely<Tables>,
  rows: readonly NewCallback[],
  now: Date,
): Promise<Map<string, InsertedCallback>> {
  if (rows.length === 0) return new Map()
  const values = rows.map(({ callback, activationId, verdict }) => ({
    id: callback.id,
    account_name: callback.accountName,
    service_name: callback.serviceName,
    activation_id: activationId,
    fingerprint: callback.fingerprint,
    verdict,
    reason: callback.reading.reason,
    highest_callback_count: callback.reading.callbackCount,
    body: callback.body,
    sealed: callback.sealed === null ? null : `\\x${callback.sealed.toString('hex')}`,
    seal_key_id: callback.sealKeyId,
  }))
  const { rows: stored } = await sql<{ id: string; fingerprint: string }>`
    insert into callbacks as c (id, account_name, service_name, activation_id, fingerprint, verdict, reason, received_at,
      last_seen_at, highest_callback_count, body, sealed, seal_key_id)
    select id, account_name, service_name, activation_id, fingerprint, verdict, reason, ${now}, ${now},
      highest_callback_count, body, sealed, seal_key_id
    from ${rowsOf(
      values,
      `id uuid, account_name text, service_name text, activation_id bigint, fingerprint uuid, verdict text, reason text,
       highest_callback_count integer, body text, sealed bytea, seal_key_id text`,
    )}
    order by fingerprint
    on conflict on constraint callbacks_same_message do update set
      times_seen = c.times_seen
    returning c.id, c.fingerprint`.execute(db)
  return new Map(stored.map(row => [row.fingerprint, insertedCallback(rows, row)]))
}

function insertedCallback(rows: readonly NewCallback[], stored: { id: string; fingerprint: string }): InsertedCallback {
  const row = rows.find(({ callback }) => callback.id === stored.id)
  if (row !== undefined) return { id: stored.id, verdict: row.verdict }
  const ours = rows.find(({ callback }) => callback.fingerprint === stored.fingerprint)
  if (ours?.activationId !== null) throw new StartOver('the same message was stored by another transaction')
  return { id: stored.id, verdict: null }
}

/** Counts deliveries of messages that are stored already. */
export async function countRepeats(
  db: Kysely<Tables>,
  repeats: readonly { id: string; callbackCount: number | null }[],
  now: Date,
): Promise<void> {
  if (repeats.length === 0) return
  await sql`
    update callbacks c set
      times_seen = c.times_seen + s.times, last_seen_at = greatest(c.last_seen_at, ${now}),
      highest_callback_count = greatest(c.highest_callback_count, s.highest)
    from (
      select id, count(*)::integer as times, max("callbackCount") as highest
      from ${rowsOf(repeats, 'id uuid, "callbackCount" integer')} group by id order by id
    ) s
    where c.id = s.id`.execute(db)
}
