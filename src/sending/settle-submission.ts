import assert from 'node:assert/strict'
import { type Kysely, sql } from 'kysely'
import { type Recorded, recordActivation } from '../activations/record-activation.ts'
import type { ExpectWithin } from '../config.ts'
import { appendChanges } from '../correlation/append-changes.ts'
import { lockActivations, type RequestName } from '../correlation/lock-activations.ts'
import type { Tables } from '../database/tables.ts'
import type { CarrierRefusal } from './carrier-refusal.ts'
import {
  findSubmission,
  lockSubmission,
  markAccepted,
  markRefused,
  markUnknown,
  type SettledBy,
  type Submission,
} from './submission.ts'

/**
 * Records the activation under the carrier's requestId, with every callback that came before. An activation that stood
 * in for it is removed. For a submission that is settled already, only the carrier's own answer adds anything: then a
 * person or a callback was wrong, and what the carrier took must be recorded.
 */
export async function enterAccepted(
  db: Kysely<Tables>,
  id: string,
  requestId: string,
  expectWithin: ExpectWithin,
  by: SettledBy,
): Promise<Submission> {
  const submission = await lockSubmission(db, id)
  const settled = submission.state === 'accepted' || submission.state === 'refused'
  if (settled && (by !== 'answer' || submission.requestId === requestId)) return submission
  const { accountName, name, request } = submission
  const known = submission.state === 'unknown' ? [name, requestId] : [requestId]
  await lockActivations(
    db,
    known.map(known => ({ accountName, requestId: known })),
  )
  const recorded = await recordActivation(db, requestId, request, expectWithin, sentAt(submission))
  if (!(await isOurs(db, by, recorded, { accountName, requestId }))) throw new AnothersRequest(requestId)
  if (submission.state === 'unknown') await retireStandIn(db, submission, requestId)
  await markAccepted(db, id, requestId, by)
  return findSubmission(db, id)
}

/** Rolls back the transaction: what is known under this requestId is a different request from the submission's. */
export class AnothersRequest extends Error {
  override name = 'AnothersRequest'
  constructor(requestId: string) {
    super(`another activation is recorded under the requestId ${requestId}`)
  }
}

/**
 * Whether an activation of this requestId can be the one that a submission led to. The carrier's own answer is beyond
 * doubt. What callbacks suggest is a guess, and wrong if somebody has recorded that request meanwhile. A person may
 * name one that is recorded, if it asks for the same and no other submission led to it.
 */
async function isOurs(
  db: Kysely<Tables>,
  by: SettledBy,
  recorded: Recorded,
  { accountName, requestId }: RequestName,
): Promise<boolean> {
  if (by === 'answer' || recorded === 'recorded') return true
  if (by === 'callback' || recorded === 'different') return false
  const { rows } = await sql`
    select from submissions where account_name = ${accountName} and request_id = ${requestId} limit 1`.execute(db)
  return rows.length === 0
}

/** It may have been taken: an activation under our own name shows that, until its requestId is known. */
export async function enterUnknown(
  db: Kysely<Tables>,
  id: string,
  expectWithin: ExpectWithin,
  by: SettledBy,
): Promise<Submission> {
  const submission = await lockSubmission(db, id)
  if (submission.state !== 'sent') return submission
  const { accountName, name, request } = submission
  const { activations } = await lockActivations(db, [{ accountName, requestId: name }])
  const [standIn] = activations
  assert(standIn !== undefined, 'the shared row was made and locked')
  await sql`update activations set status = 'unknown' where id = ${standIn.id}`.execute(db)
  await recordActivation(db, name, request, expectWithin, sentAt(submission))
  await markUnknown(db, id, by)
  return findSubmission(db, id)
}

/** Nothing happened at the carrier. Meanwhile it may have been given up as unknown: then its stand-in is removed. */
export async function enterRefused(
  db: Kysely<Tables>,
  { id, intendedAt }: Submission,
  refusal: CarrierRefusal,
): Promise<Submission> {
  const submission = await lockSubmission(db, id)
  // It was settled, or another request with its key has reopened it since: then this outcome does not concern it.
  if (submission.state === 'accepted' || submission.state === 'refused') return submission
  if (submission.intendedAt.getTime() !== intendedAt.getTime()) return { ...submission, refusal }
  if (submission.state === 'unknown') await retireStandIn(db, submission, null)
  await markRefused(db, id, refusal, 'answer')
  return findSubmission(db, id)
}

/**
 * Removes the stand-in for an unknown request. In the feed it ends with the status of the real one; null: with none.
 */
export async function retireStandIn(
  db: Kysely<Tables>,
  { accountName, name }: Submission,
  requestId: string | null,
): Promise<void> {
  const { now, activations } = await lockActivations(db, [{ accountName, requestId: name }])
  const [standIn] = activations
  assert(standIn !== undefined, 'the shared row was made and locked')
  const real = await db
    .selectFrom('activations')
    .select(['status', 'overdue'])
    .where('request_id', '=', requestId)
    .where('account_name', '=', accountName)
    .executeTakeFirst()
  await sql`delete from targets where activation_id = ${standIn.id}`.execute(db)
  await sql`delete from activations where id = ${standIn.id}`.execute(db)
  await appendChanges(db, [
    {
      at: now,
      kind: 'activation',
      accountName,
      requestId: name,
      iccid: null,
      eid: null,
      was: { status: 'unknown', overdue: standIn.overdue },
      becomes: { status: real?.status ?? 'failed', overdue: real?.overdue ?? false },
      callbackId: null,
      source: 'record',
      profile: null,
    },
  ])
}

function sentAt({ sentAt, intendedAt }: Submission): Date {
  return sentAt ?? intendedAt
}
