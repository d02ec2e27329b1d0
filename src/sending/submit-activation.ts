import { setTimeout as pause } from 'node:timers/promises'
import type { Transaction } from 'kysely'
import { requestDigest } from '../activations/activation-request.ts'
import type { ExpectWithin } from '../config.ts'
import type { Database } from '../database/pool.ts'
import { refusalOf } from '../database/refusal.ts'
import type { Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { HttpError } from '../operating/http-error.ts'
import { CarrierError } from '../thingspace/carrier-error.ts'
import type { ThingSpaceClient } from '../thingspace/client.ts'
import { asHttpError, type CarrierRefusal, own, refusalFor } from './carrier-refusal.ts'
import { sendable } from './check-request.ts'
import { openSubmission, type Wish } from './open-submission.ts'
import { enterAccepted, enterUnknown, retireStandIn } from './settle-submission.ts'
import { findSubmission, lockSubmission, markRefused, markSent, type Submission } from './submission.ts'

export interface SubmitOptions {
  db: Database
  client: ThingSpaceClient
  expectWithin: ExpectWithin
  /** Aborted when the service leaves. */
  leaving: AbortSignal
}

/** As long as an answer of the carrier itself may take: a caller has that much patience. */
const mostWaitMs = 30_000
/** For one who repeats a key while the first request with it is under way. */
const othersWaitMs = 40_000

/**
 * Sends a request once, and returns the requestId (or our own name for it, while that is not known) once it is
 * recorded. The intent is committed before it leaves; then it is accepted, refused (an HttpError, and nothing is
 * recorded), or unknown.
 */
export async function submitActivation(options: SubmitOptions, wish: Wish): Promise<string> {
  const opened = await openSubmission(options.db, wish, mostWaitMs)
  if (opened.kind === 'too-fast') {
    throw asHttpError(own(429, 'the carrier takes 100 requests a minute; nothing was sent', opened.waitMs / 1_000))
  }
  const { submission } = opened
  if (opened.kind === 'mine') return answerOf(await send(options, submission, opened.waitMs))
  if (!submission.digest.equals(requestDigest(wish.request))) {
    throw new HttpError(409, 'another request was sent with this Idempotency-Key')
  }
  return answerOf(await othersAnswer(options.db, submission))
}

function answerOf({ state, requestId, name, refusal }: Submission): string {
  if (refusal !== null) throw asHttpError(refusal)
  if (state === 'accepted' && requestId !== null) return requestId
  if (state === 'unknown') return name
  throw asHttpError(own(503, 'the first request with this Idempotency-Key is still under way; ask again', 2))
}

async function send(options: SubmitOptions, submission: Submission, waitMs: number): Promise<Submission> {
  const { db, client, expectWithin, leaving } = options
  const { id, request } = submission
  const { operation, profiles } = sendable(request)
  try {
    await pause(waitMs, undefined, { signal: leaving })
  } catch {
    return keep(db, trx => refuse(trx, id, own(503, 'the service is leaving; nothing was sent', 1)))
  }
  if (!(await markSent(db, id))) return findSubmission(db, id)
  const { requestId, error } = await client.perform(operation, profiles).then(
    answer => ({ ...answer, error: null }),
    (error: unknown) => ({ requestId: null, error }),
  )
  if (requestId !== null) return keep(db, trx => enterAccepted(trx, id, requestId, expectWithin, 'answer'))
  if (error instanceof CarrierError && error.outcome === 'unknown') {
    return keep(db, trx => enterUnknown(trx, id, expectWithin, 'answer'))
  }
  // Anything but a CarrierError comes from the store of the session, and then nothing was sent.
  const refusal = error instanceof CarrierError ? refusalFor(error) : own(503, 'nothing was sent; ask again', 5)
  return keep(db, trx => refuse(trx, id, refusal))
}

/** Meanwhile it may have been given up as unknown: then it shows, and is now taken back. */
async function refuse(trx: Transaction<Tables>, id: string, refusal: CarrierRefusal): Promise<Submission> {
  const submission = await lockSubmission(trx, id)
  if (submission.state === 'unknown') await retireStandIn(trx, submission, null)
  await markRefused(trx, id, refusal, 'answer')
  return findSubmission(trx, id)
}

const keepTries = 8

/** What the carrier said is known to nobody else: a passing trouble of the database must not lose it. */
async function keep(db: Database, work: (trx: Transaction<Tables>) => Promise<Submission>): Promise<Submission> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(db, work)
    } catch (error) {
      if (refusalOf(error) === 'refused' || attempt === keepTries) throw error
      await pause(Math.min(50 * 2 ** attempt, 2_000))
    }
  }
}

/** Waits for the one who came first with the same key, on whatever replica. */
async function othersAnswer(db: Database, { id }: Submission): Promise<Submission> {
  const until = Date.now() + othersWaitMs
  for (let ms = 50; ; ms = Math.min(ms * 2, 500)) {
    const submission = await findSubmission(db, id)
    const underWay = submission.state === 'intended' || submission.state === 'sent'
    if (!underWay || Date.now() > until) return submission
    await pause(ms)
  }
}
