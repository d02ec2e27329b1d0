import { sql } from 'kysely'
import type { ExpectWithin } from '../config.ts'
import type { Database } from '../database/pool.ts'
import type { SeenBy } from '../database/seen-by.ts'
import { inTransaction } from '../database/transaction.ts'
import { type Accounts, maySee } from '../operating/access.ts'
import { HttpError } from '../operating/http-error.ts'
import { own } from './carrier-refusal.ts'
import { AnothersRequest, enterAccepted, retireStandIn } from './settle-submission.ts'
import { lockSubmission, markRefused } from './submission.ts'

/**
 * Settles an unknown submission as a person says: taken under this requestId, or (null) not taken. Returns its account.
 */
export async function settleByHand(
  { db, seenBy, expectWithin }: { db: Database; seenBy: SeenBy; expectWithin: ExpectWithin },
  name: string,
  accounts: Accounts,
  requestId: string | null,
): Promise<string> {
  if (requestId?.startsWith('submission-')) {
    throw new HttpError(400, "body: requestId must be ThingSpace's, and no name of ours")
  }
  const { rows } = await sql<{ id: string; accountName: string }>`
    select id, account_name as "accountName" from submissions where name = ${name}`.execute(seenBy(accounts))
  const [found] = rows
  if (found === undefined || !maySee(accounts, found.accountName)) throw new HttpError(404, 'not found')
  await inTransaction(db, async trx => {
    const submission = await lockSubmission(trx, found.id)
    if (submission.state === 'accepted' && submission.requestId === requestId) return
    if (submission.state !== 'unknown') throw new HttpError(409, `this submission is ${submission.state}, not unknown`)
    if (requestId !== null) {
      await enterAccepted(trx, found.id, requestId, expectWithin, 'manual').catch(error => {
        throw error instanceof AnothersRequest ? new HttpError(409, error.message) : error
      })
    } else {
      await retireStandIn(trx, submission, null)
      await markRefused(trx, found.id, own(409, 'ThingSpace did not take it, as a person found out'), 'manual')
    }
  })
  return found.accountName
}
