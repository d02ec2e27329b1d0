import { type Kysely, sql } from 'kysely'
import type { Database } from '../database/pool.ts'
import type { CallbacksTable, Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { callbackSeal } from '../secrets/callback-seal.ts'
import type { Sealer } from '../secrets/sealer.ts'
import type { JsonObject } from '../thingspace/json-message.ts'
import { secretsOfOthers } from '../thingspace/open-secrets.ts'
import type { Secrets } from '../thingspace/secrets-in-callback.ts'

export interface ForgetWish {
  iccid: string
  /** null: whatever the account. */
  accountName: string | null
}

export interface Forgotten {
  /** Callbacks whose secrets of this profile are gone. */
  callbacks: number
  /** Of these, those that could not be read, whose exact bytes are gone. */
  quarantined: number
}

type Stored = Pick<CallbacksTable, 'id' | 'account_name' | 'verdict' | 'body' | 'sealed' | 'seal_key_id'>

const atOnce = 200
const nowhere = '00000000-0000-0000-0000-000000000000'

/**
 * Erases what is sealed about one profile: its logins, and the bytes of messages that could not be read and name it.
 * What was said in clear stays. Each callback is a transaction with its row in `audit`; safe to run again.
 */
export async function forgetSecrets(db: Database, sealer: Sealer, wish: ForgetWish): Promise<Forgotten> {
  const forgotten: Forgotten = { callbacks: 0, quarantined: 0 }
  for (const find of [findNamed, findUnread]) {
    for (let after = nowhere; ; ) {
      const ids = await find(db, wish, after)
      for (const id of ids) {
        const verdict = await inTransaction(db, trx => forgetIn(trx, sealer, wish, id))
        if (verdict === null) continue
        forgotten.callbacks += 1
        if (verdict === 'quarantined') forgotten.quarantined += 1
      }
      const end = ids.at(-1)
      if (end === undefined) break
      after = end
    }
  }
  await inTransaction(db, async trx => {
    await sql`
      update profiles set credential_callback_id = null
      where iccid = ${wish.iccid} and (${wish.accountName}::text is null or account_name = ${wish.accountName})`.execute(
      trx,
    )
    await audit(trx, wish.accountName, wish.iccid, null)
  })
  return forgotten
}

/** By what was read of them. */
async function findNamed(db: Kysely<Tables>, { iccid, accountName }: ForgetWish, after: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select distinct s.source_id as id from results s
    where s.iccid = ${iccid} and (${accountName}::text is null or s.account_name = ${accountName})
      and s.source = 'callback' and s.source_id > ${after}::uuid order by 1 limit ${atOnce}`.execute(db)
  return rows.map(({ id }) => id)
}

/** Those of which nothing was read: each has to be opened. */
async function findUnread(db: Kysely<Tables>, { accountName }: ForgetWish, after: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from callbacks
    where verdict in ('other', 'quarantined') and id > ${after}::uuid and sealed is not null
      and (${accountName}::text is null or account_name = ${accountName}) order by id limit ${atOnce}`.execute(db)
  return rows.map(({ id }) => id)
}

/** The verdict of the callback when something was erased, else null. */
async function forgetIn(db: Kysely<Tables>, sealer: Sealer, wish: ForgetWish, id: string): Promise<string | null> {
  const row = await db.selectFrom('callbacks').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  if (row === undefined) return null
  const left = leftOf(row, sealer, wish.iccid)
  if (left === null) return null
  await db.updateTable('callbacks').set(left).where('id', '=', id).execute()
  await audit(db, row.account_name, wish.iccid, id)
  return row.verdict
}

/** What the row keeps; null: it holds nothing of this profile. */
function leftOf(row: Stored, sealer: Sealer, iccid: string) {
  const { id, body, sealed, seal_key_id } = row
  if (sealed === null || seal_key_id === null) return null
  const opened = sealer.open(sealed, seal_key_id, callbackSeal(id))
  const none = { sealed: null, seal_key_id: null }
  if (body === null) return opened.includes(iccid) ? { ...none, body: '{}', reason: 'erased on request' } : null
  const message = JSON.parse(body) as JsonObject
  if (!body.includes(iccid)) return null
  const secrets = JSON.parse(opened.toString()) as Secrets
  const others = secretsOfOthers(message, secrets, iccid)
  if (Object.keys(others).length === 0) return none
  if (Object.keys(others).length === Object.keys(secrets).length) return null
  const anew = sealer.seal(Buffer.from(JSON.stringify(others)), callbackSeal(id))
  return { sealed: anew.sealed, seal_key_id: anew.keyId }
}

async function audit(db: Kysely<Tables>, accountName: string | null, iccid: string, callbackId: string | null) {
  await sql`
    insert into audit (who, action, account_name, iccid, callback_id)
    values ('npm run forget', 'secrets erased', ${accountName}, ${iccid}, ${callbackId})`.execute(db)
}
