import { type Kysely, sql } from 'kysely'
import type { ExpectWithin } from '../config.ts'
import { oneByOne } from '../database/one-by-one.ts'
import type { Database } from '../database/pool.ts'
import type { Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { own } from './carrier-refusal.ts'
import { findRequestsOfUnknown, type Identified } from './find-requests-of-unknown.ts'
import { AnothersRequest, enterAccepted, enterUnknown } from './settle-submission.ts'
import { lockSubmission, markRefused } from './submission.ts'

/** Gives unknown submissions the requestId that their callbacks reveal. */
export async function settleUnknown(
  db: Database,
  expectWithin: ExpectWithin,
  isStopping: () => boolean = () => false,
): Promise<void> {
  const identified = await findRequestsOfUnknown(db, isStopping)
  await oneByOne(identified, settle, isStopping)

  async function settle({ id, requestId }: Identified): Promise<void> {
    try {
      await inTransaction(db, trx => enterAccepted(trx, id, requestId, expectWithin, 'callback'))
    } catch (error) {
      // It has been recorded meanwhile, so it was the request of whoever did that.
      if (!(error instanceof AnothersRequest)) throw error
    }
  }
}

/** Longer than a request can take, including its wait for a slot, both logins and its answer. */
export const answeredWithinMs = 5 * 60_000

/**
 * Whoever was to send these is gone. What was marked as sent may have left: it becomes unknown, and shows as such. The
 * rest has never left and never will: a sender that is still waiting finds it refused.
 */
export async function giveUpUnanswered(db: Database, expectWithin: ExpectWithin): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    select id from submissions where state in ('intended', 'sent')
      and coalesce(sent_at, intended_at) < clock_timestamp() - ${answeredWithinMs} * interval '1 millisecond'
      and intended_at < clock_timestamp() - ${answeredWithinMs} * interval '1 millisecond'
    order by intended_at limit 100`.execute(db)
  await oneByOne(rows, ({ id }) => inTransaction(db, trx => giveUp(trx, id, expectWithin)))
}

async function giveUp(db: Kysely<Tables>, id: string, expectWithin: ExpectWithin): Promise<void> {
  const { state } = await lockSubmission(db, id)
  if (state === 'intended') {
    await markRefused(db, id, own(503, 'its sender went away before it left; nothing was sent', 1), 'clock')
  } else {
    await enterUnknown(db, id, expectWithin, 'clock')
  }
}
