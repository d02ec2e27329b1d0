import { type Kysely, sql } from 'kysely'
import type { ActivationRequest } from '../activations/activation-request.ts'
import type { Tables } from '../database/tables.ts'
import type { CarrierRefusal } from './carrier-refusal.ts'

/**
 * `intended`, then `sent` just before the request leaves, then the outcome: `accepted` under a requestId, `refused`
 * (nothing happened at the carrier), or `unknown` (it may have been taken, and is never sent again automatically).
 */
export type SubmissionState = 'intended' | 'sent' | 'accepted' | 'refused' | 'unknown'
export type SettledBy = 'answer' | 'callback' | 'manual' | 'clock'

export interface Submission {
  id: string
  /** Stands in for the requestId until that is known. */
  name: string
  accountName: string
  digest: Buffer
  request: ActivationRequest
  state: SubmissionState
  requestId: string | null
  refusal: CarrierRefusal | null
  intendedAt: Date
  sentAt: Date | null
}

interface SubmissionRow {
  id: string
  name: string
  account_name: string
  request_digest: Buffer
  request: ActivationRequest
  state: SubmissionState
  request_id: string | null
  error_status: number | null
  error_code: string | null
  error_message: string | null
  retry_after_seconds: number | null
  intended_at: Date
  sent_at: Date | null
}

export async function findSubmission(db: Kysely<Tables>, id: string): Promise<Submission> {
  return one(await sql<SubmissionRow>`select * from submissions where id = ${id}`.execute(db))
}

/** Everything that settles a submission locks its row first, and its activations after that. */
export async function lockSubmission(db: Kysely<Tables>, id: string): Promise<Submission> {
  return one(await sql<SubmissionRow>`select * from submissions where id = ${id} for update`.execute(db))
}

/** From here on it may have left. null when it was given up meanwhile: then it must not be sent. */
export async function markSent(db: Kysely<Tables>, id: string): Promise<Date | null> {
  const { rows } = await sql<{ sent_at: Date }>`
    update submissions set state = 'sent', sent_at = clock_timestamp()
    where id = ${id} and state = 'intended' returning sent_at`.execute(db)
  return rows[0]?.sent_at ?? null
}

export async function markAccepted(db: Kysely<Tables>, id: string, requestId: string, by: SettledBy): Promise<void> {
  await sql`
    update submissions set state = 'accepted', request_id = ${requestId}, settled_by = ${by},
      settled_at = clock_timestamp(), error_status = null, error_code = null, error_message = null,
      retry_after_seconds = null
    where id = ${id}`.execute(db)
}

export async function markUnknown(db: Kysely<Tables>, id: string, by: SettledBy): Promise<void> {
  await sql`
    update submissions set state = 'unknown', settled_by = ${by}, settled_at = clock_timestamp()
    where id = ${id}`.execute(db)
}

/** Nothing happened at the carrier. */
export async function markRefused(
  db: Kysely<Tables>,
  id: string,
  { status, errorCode, errorMessage, retryAfterSeconds }: CarrierRefusal,
  by: SettledBy,
): Promise<void> {
  await sql`
    update submissions set state = 'refused', error_status = ${status}, error_code = ${errorCode},
      error_message = ${errorMessage}, retry_after_seconds = ${retryAfterSeconds}, settled_by = ${by},
      settled_at = clock_timestamp()
    where id = ${id}`.execute(db)
}

export function submissionOf(row: SubmissionRow): Submission {
  return {
    id: row.id,
    name: row.name,
    accountName: row.account_name,
    digest: row.request_digest,
    request: row.request,
    state: row.state,
    requestId: row.request_id,
    refusal:
      row.error_status === null
        ? null
        : {
            status: row.error_status,
            errorCode: row.error_code ?? String(row.error_status),
            errorMessage: row.error_message ?? '',
            retryAfterSeconds: row.retry_after_seconds,
          },
    intendedAt: row.intended_at,
    sentAt: row.sent_at,
  }
}

function one({ rows: [row] }: { rows: SubmissionRow[] }): Submission {
  if (row === undefined) throw new Error('a submission is never deleted')
  return submissionOf(row)
}
