import { setTimeout as pause } from 'node:timers/promises'
import type { Transaction } from 'kysely'
import { requestDigest } from '../activations/activation-request.ts'
import type { ActivationView } from '../activations/activation-view.ts'
import type { ExpectWithin } from '../config.ts'
import type { Database } from '../database/pool.ts'
import type { Tables } from '../database/tables.ts'
import { HttpError } from '../operating/http-error.ts'
import { CarrierError } from '../thingspace/carrier-error.ts'
import type { ThingSpaceClient } from '../thingspace/client.ts'
import { asHttpError, type CarrierRefusal, own, refusalFor } from './carrier-refusal.ts'
import { sendable } from './check-request.ts'
import { type KeepOptions, keepOutcome } from './keep-outcome.ts'
import { isOpened, openSubmission, type Wish } from './open-submission.ts'
import { enterAccepted, enterRefused, enterUnknown } from './settle-submission.ts'
import { findSubmission, markSent, type Submission } from './submission.ts'
import { viewAsSent } from './view-as-sent.ts'

export interface SubmitOptions extends KeepOptions {
  client: ThingSpaceClient
  expectWithin: ExpectWithin
  /** Called when a request has left, and it is not known whether it was taken. */
  onUnknown: (error: CarrierError) => void
}

export interface Submitted {
  /** Our own name for it until that is known. */
  requestId: string
  /** How it stood when it left, for when the database can't be asked; null: an earlier request sent it. */
  asSent: ActivationView | null
}

/** As long as an answer of the carrier may take: a caller is that patient anyway. */
const mostWaitMs = 30_000
/** For a caller who repeats a key while the first request with it is under way. */
const othersWaitMs = 40_000

/**
 * Sends a request once. The intent is committed before it leaves; then it is accepted, refused (an HttpError, and
 * nothing is recorded), or unknown. Once it has left, no trouble on our side is reported as an error: whoever gets an
 * error sends again.
 */
export async function submitActivation(options: SubmitOptions, wish: Wish): Promise<Submitted> {
  const { db, client, expectWithin, underWay } = options
  // Before a slot is taken: a login may take longer than the window of the carrier's pace.
  if (!(await isOpened(db, wish))) await signIn(client)
  const opened = await openSubmission(db, wish, mostWaitMs)
  if (opened.kind === 'too-fast') {
    throw asHttpError(own(429, 'the carrier takes 100 requests a minute; nothing was sent', opened.waitMs / 1_000))
  }
  if (opened.kind === 'mine') {
    const sent = await underWay.add(send(options, opened.submission, opened.waitMs))
    return { requestId: nameOf(sent), asSent: viewAsSent(sent, expectWithin) }
  }
  const { submission } = opened
  if (!submission.digest.equals(requestDigest(wish.request))) {
    throw new HttpError(409, 'another request was sent with this Idempotency-Key')
  }
  return { requestId: nameOf(await othersAnswer(db, submission)), asSent: null }
}

async function signIn(client: ThingSpaceClient): Promise<void> {
  try {
    await client.signIn()
  } catch (error) {
    throw error instanceof CarrierError ? asHttpError(refusalFor(error)) : error
  }
}

function nameOf({ state, requestId, name, refusal }: Submission): string {
  if (refusal !== null) throw asHttpError(refusal)
  if (state === 'accepted' && requestId !== null) return requestId
  if (state === 'unknown') return name
  throw asHttpError(own(503, 'the first request with this Idempotency-Key is still under way; ask again', 2))
}

async function send(options: SubmitOptions, submission: Submission, waitMs: number): Promise<Submission> {
  const { db, client, expectWithin, leaving } = options
  const { id, request } = submission
  const { operation, profiles } = sendable(request)
  const refuse = async (refusal: CarrierRefusal) =>
    (await keepOutcome(options, trx => enterRefused(trx, submission, refusal))) ?? { ...submission, refusal }
  try {
    await pause(waitMs, undefined, { signal: leaving })
  } catch {
    return refuse(own(503, 'the service is leaving; nothing was sent', 1))
  }
  let sentAt: Date | null
  try {
    sentAt = await markSent(db, id)
  } catch {
    return refuse(own(503, 'the database is not available now; nothing was sent', 5))
  }
  if (sentAt === null) return findSubmission(db, id)
  const { requestId, error } = await client.perform(operation, profiles).then(
    answer => ({ ...answer, error: null }),
    (error: unknown) => ({ requestId: null, error }),
  )
  // Until it is stored nobody finds it under its requestId, but this name is valid whatever happens to us.
  const notStored: Submission = { ...submission, state: 'unknown', sentAt }
  if (requestId !== null) {
    const enter = (trx: Transaction<Tables>) => enterAccepted(trx, id, requestId, expectWithin, 'answer')
    return (await keepOutcome(options, enter)) ?? notStored
  }
  if (error instanceof CarrierError && error.outcome === 'unknown') {
    options.onUnknown(error)
    return (await keepOutcome(options, trx => enterUnknown(trx, id, expectWithin, 'answer'))) ?? notStored
  }
  // Anything but a CarrierError comes from the session store, and then nothing was sent.
  return refuse(error instanceof CarrierError ? refusalFor(error) : own(503, 'nothing was sent; ask again', 5))
}

/** Waits for whoever came first with the same key, on whatever replica. */
async function othersAnswer(db: Database, { id }: Submission): Promise<Submission> {
  const until = Date.now() + othersWaitMs
  for (let ms = 50; ; ms = Math.min(ms * 2, 500)) {
    const submission = await findSubmission(db, id)
    const underWay = submission.state === 'intended' || submission.state === 'sent'
    if (!underWay || Date.now() > until) return submission
    await pause(ms)
  }
}
