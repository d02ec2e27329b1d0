import { type Kysely, sql } from 'kysely'
import type { Database } from '../database/pool.ts'
import type { CallbacksTable, Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import type { CursorKey } from '../operating/cursor.ts'
import { findInGroups } from '../operating/grouped-list.ts'
import { callbackSeal } from '../secrets/callback-seal.ts'
import { CannotOpen, type Sealer } from '../secrets/sealer.ts'
import { type JsonObject, parseExactly } from '../thingspace/json-message.ts'
import { namesIccid, secretsOfOthers } from '../thingspace/open-secrets.ts'
import type { Secrets } from '../thingspace/secrets-in-callback.ts'

export interface ForgetWish {
  /** In normal form. */
  iccid: string
  /** null: whatever the account. */
  accountName: string | null
}

export interface Forgotten {
  /** Callbacks whose secrets of this profile have been erased. */
  callbacks: number
  /** How many of these were unreadable messages, whose exact bytes have been erased. */
  quarantined: number
  /** Callbacks that no available key opens, and that may contain something of this profile. */
  unopened: number
}

/** Why a callback no longer has any bytes. One with this reason is not read again. */
export const erasedOnRequest = 'erased on request'

const atOnce = 200
const nowhere = '00000000-0000-0000-0000-000000000000'

/**
 * Erases what is sealed about one profile: its logins, and the bytes of unreadable messages that name it. What is not
 * secret stays. Each callback has a transaction of its own with its row in `audit`; safe to run again. Callbacks that
 * arrive meanwhile are not included, nor are those in a spool.
 */
export async function forgetSecrets(db: Database, sealer: Sealer, wish: ForgetWish): Promise<Forgotten> {
  const forgotten: Forgotten = { callbacks: 0, quarantined: 0, unopened: 0 }
  const forget = async (id: string) => {
    const outcome = await inTransaction(db, trx => forgetIn(trx, sealer, wish, id))
    if (outcome === null) return
    if (outcome === 'unopened') forgotten.unopened += 1
    else forgotten.callbacks += 1
    if (outcome === 'quarantined') forgotten.quarantined += 1
  }
  for await (const id of namedCallbacks(db, wish)) await forget(id)
  for await (const id of unreadCallbacks(db, wish)) await forget(id)
  await inTransaction(db, trx => audit(trx, wish.accountName, wish.iccid, null))
  return forgotten
}

/** Found by what was read of them. */
async function* namedCallbacks(db: Database, { iccid, accountName }: ForgetWish): AsyncGenerator<string> {
  for (let after = nowhere; ; ) {
    const { rows } = await sql<{ id: string }>`
      select distinct s.source_id as id from results s
      where s.iccid = ${iccid} and (${accountName}::text is null or s.account_name = ${accountName})
        and s.source = 'callback' and s.source_id > ${after}::uuid order by 1 limit ${atOnce}`.execute(db)
    for (const { id } of rows) yield id
    const end = rows.at(-1)
    if (end === undefined) return
    after = end.id
  }
}

interface Unread {
  id: string
  received_at: Date
  sealed: boolean
}

/** Those of which nothing could be read: each has to be opened. */
async function* unreadCallbacks(db: Database, { accountName }: ForgetWish): AsyncGenerator<string> {
  const part = { order: ['t.received_at', 't.id'], ascending: true }
  const groups = sql`
    select group_id from callback_counts
    where verdict in ('other', 'quarantined') and (${accountName}::text is null or account_name = ${accountName})
    group by 1 having sum(callbacks) > 0`
  const show = sql`
    select c.id, c.received_at, c.sealed is not null as sealed, t.more from found t join callbacks c on c.id = t.id`
  const keyOf = (row: Unread): CursorKey => [row.received_at.toISOString(), row.id]
  for (let behind: CursorKey | null = null; ; ) {
    const rows: Unread[] = await findInGroups<Unread>(
      db,
      { table: 'callbacks', groups, where: sql`true`, keyOf, show },
      atOnce,
      { ...part, behind },
    )
    for (const { id, sealed } of rows) if (sealed) yield id
    const end = rows.at(-1)
    if (end === undefined || rows.length < atOnce) return
    behind = keyOf(end)
  }
}

/** The callback's verdict when something was erased, `unopened` when nobody can tell; null: nothing to do. */
async function forgetIn(db: Kysely<Tables>, sealer: Sealer, wish: ForgetWish, id: string): Promise<string | null> {
  await lockActivationOf(db, id)
  const row = await db.selectFrom('callbacks').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  if (row === undefined) return null
  const named = await iccidsNamedBy(db, id)
  const left = leftOf(row, sealer, wish.iccid, named)
  if (left === 'unopened') return left
  if (named.includes(wish.iccid)) await forgetThatItHadOne(db, wish, id)
  if (left === null) return null
  await db.updateTable('callbacks').set(left).where('id', '=', id).execute()
  await audit(db, row.account_name, wish.iccid, id)
  return row.verdict
}

/**
 * In the same order as reprocessing and the counting of repeats (activation, callback, profile), to avoid deadlocks.
 */
async function lockActivationOf(db: Kysely<Tables>, id: string): Promise<void> {
  await sql`
    select from activations where id = (select activation_id from callbacks where id = ${id}::uuid) for update`.execute(
    db,
  )
}

async function iccidsNamedBy(db: Kysely<Tables>, id: string): Promise<string[]> {
  const { rows } = await sql<{ iccid: string }>`
    select distinct iccid from results where source_id = ${id}::uuid and iccid is not null`.execute(db)
  return rows.map(({ iccid }) => iccid)
}

/** The results that the profile is folded from are changed too: a later message may have it folded again. */
async function forgetThatItHadOne(db: Kysely<Tables>, { iccid }: ForgetWish, id: string): Promise<void> {
  await sql`
    update results set facts = (jsonb_set(facts::jsonb, '{hasCredential}', 'false') - 'credentialDigest')::json
    where source_id = ${id}::uuid and iccid = ${iccid} and (facts ->> 'hasCredential')::boolean`.execute(db)
  await sql`
    update profiles set credential_callback_id = null, credential_digest = null
    where iccid = ${iccid} and credential_callback_id = ${id}::uuid`.execute(db)
}

type Stored = Pick<CallbacksTable, 'id' | 'body' | 'sealed' | 'seal_key_id'>

const nothingSealed = { sealed: null, seal_key_id: null }
const nothingAtAll = { ...nothingSealed, body: '{}', reason: erasedOnRequest }

/** What the row keeps; null: it contains nothing of this profile. */
function leftOf(row: Stored, sealer: Sealer, iccid: string, named: readonly string[]) {
  const { id, body, sealed, seal_key_id } = row
  if (sealed === null || seal_key_id === null) return null
  const opened = openOrNull(() => sealer.open(sealed, seal_key_id, callbackSeal(id)))
  // If all of it is about this profile, it need not be opened, and may be something that nobody can open.
  if (opened === null) return named.length === 1 && named[0] === iccid ? nothingSealed : 'unopened'
  if (body === null) return isWrittenIn(opened, iccid) ? nothingAtAll : null
  const message = parseExactly(body) as JsonObject
  if (!namesIccid(message, iccid)) return null
  const secrets = parseExactly(opened.toString()) as Secrets
  const others = secretsOfOthers(message, secrets, iccid)
  if (Object.keys(others).length === 0) return nothingSealed
  if (Object.keys(others).length === Object.keys(secrets).length) return null
  const anew = sealer.seal(Buffer.from(JSON.stringify(others)), callbackSeal(id))
  return { sealed: anew.sealed, seal_key_id: anew.keyId }
}

function openOrNull(open: () => Buffer): Buffer | null {
  try {
    return open()
  } catch (error) {
    if (error instanceof CannotOpen) return null
    throw error
  }
}

/** In unreadable bytes nobody knows where an identifier begins: separators are skipped everywhere. */
function isWrittenIn(bytes: Buffer, iccid: string): boolean {
  return bytes
    .toString('latin1')
    .replace(/[\s.-]/g, '')
    .includes(iccid)
}

async function audit(db: Kysely<Tables>, accountName: string | null, iccid: string, callbackId: string | null) {
  await sql`
    insert into audit (who, action, account_name, iccid, callback_id)
    values ('npm run forget', 'secrets erased', ${accountName}, ${iccid}, ${callbackId})`.execute(db)
}
