import { type Kysely, sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import { type ActivationRequest, requestDigest } from '../activations/activation-request.ts'
import type { Database } from '../database/pool.ts'
import type { Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { takeSlot } from './pace.ts'
import { findSubmission, lockSubmission, type Submission } from './submission.ts'

export interface Wish {
  request: ActivationRequest
  /** The token's name: each has keys of its own. */
  askedBy: string
  idempotencyKey: string | null
}

export type Opened =
  /** Ours to send, once the carrier's pace allows it. */
  | { kind: 'mine'; submission: Submission; waitMs: number }
  /** Somebody came first with this key. */
  | { kind: 'theirs'; submission: Submission }
  /** The pace would have us wait for too long; nothing was kept. */
  | { kind: 'too-fast'; waitMs: number }

/**
 * Commits the intent and takes a slot of the carrier's pace. Of several with one key, the unique key lets one through.
 * A key whose request was refused may be tried again, with the same request: nothing happened at the carrier.
 */
export async function openSubmission(db: Database, wish: Wish, mostWaitMs: number): Promise<Opened> {
  try {
    return await inTransaction(db, async trx => {
      const id = (await insert(trx, wish)) ?? (await reopen(trx, wish))
      if (typeof id !== 'string') return { kind: 'theirs', submission: id.theirs }
      const waitMs = await takeSlot(trx)
      if (waitMs > mostWaitMs) throw new TooFast(waitMs)
      return { kind: 'mine', submission: await findSubmission(trx, id), waitMs }
    })
  } catch (error) {
    if (error instanceof TooFast) return { kind: 'too-fast', waitMs: error.waitMs }
    throw error
  }
}

/** Whether somebody came first with this key, and it would not be sent again. */
export async function isOpened(db: Kysely<Tables>, { request, askedBy, idempotencyKey }: Wish): Promise<boolean> {
  if (idempotencyKey === null) return false
  const { rows } = await sql`
    select from submissions where account_name = ${request.accountName} and asked_by = ${askedBy}
      and idempotency_key = ${idempotencyKey} and state <> 'refused'`.execute(db)
  return rows.length > 0
}

/** Takes back the intent and the slot. */
class TooFast extends Error {
  readonly waitMs: number
  constructor(waitMs: number) {
    super('the carrier takes no more requests now')
    this.waitMs = waitMs
  }
}

async function insert(db: Kysely<Tables>, { request, askedBy, idempotencyKey }: Wish): Promise<string | null> {
  const id = uuidv7()
  const { rows } = await sql`
    insert into submissions (id, name, account_name, asked_by, idempotency_key, request_digest, request, intended_at)
    values (${id}, ${`submission-${id}`}, ${request.accountName}, ${askedBy}, ${idempotencyKey},
      ${requestDigest(request)}, ${JSON.stringify(request)}, clock_timestamp())
    on conflict on constraint submissions_idempotency_key_is_one do nothing
    returning id`.execute(db)
  return rows.length === 1 ? id : null
}

async function reopen(db: Kysely<Tables>, { request, askedBy, idempotencyKey }: Wish) {
  const { rows } = await sql<{ id: string }>`
    select id from submissions where account_name = ${request.accountName} and asked_by = ${askedBy}
      and idempotency_key = ${idempotencyKey}`.execute(db)
  const theirs = await lockSubmission(db, rows[0]?.id ?? '')
  if (theirs.state !== 'refused' || !theirs.digest.equals(requestDigest(request))) return { theirs }
  await sql`
    update submissions set state = 'intended', request = ${JSON.stringify(request)}, intended_at = clock_timestamp(),
      sent_at = null, settled_at = null, settled_by = null, error_status = null, error_code = null,
      error_message = null, retry_after_seconds = null
    where id = ${theirs.id}`.execute(db)
  return theirs.id
}
