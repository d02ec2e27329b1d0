import { setTimeout as pause } from 'node:timers/promises'
import type { Transaction } from 'kysely'
import type { Database } from '../database/pool.ts'
import { refusalOf } from '../database/refusal.ts'
import type { Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import type { Submission } from './submission.ts'
import type { UnderWay } from './under-way.ts'

export interface KeepOptions {
  db: Database
  /** Aborted when the service shuts down. */
  leaving: AbortSignal
  underWay: UnderWay
  /** Called when it is given up: the submission's outcome will be unknown in five minutes. */
  onNotKept: (error: unknown) => void
}

type Work = (trx: Transaction<Tables>) => Promise<Submission>

/** How long a caller waits for the database; after that the work continues in the background. */
const callerWaitsMs = 8_000

/**
 * Stores what the carrier said, which nobody else knows: keeps trying until the database takes it or the service shuts
 * down. Returns what is stored, or null when that is not done yet.
 */
export async function keepOutcome(options: KeepOptions, work: Work): Promise<Submission | null> {
  const answered = new AbortController()
  const waited = pause(callerWaitsMs, null, { signal: answered.signal }).catch(() => null)
  try {
    return await Promise.race([options.underWay.add(keepTrying(options, work)), waited])
  } finally {
    answered.abort()
  }
}

async function keepTrying({ db, leaving, onNotKept }: KeepOptions, work: Work): Promise<Submission | null> {
  for (let attempt = 1; ; attempt += 1) {
    const isLast = leaving.aborted
    try {
      return await inTransaction(db, work)
    } catch (error) {
      if (isLast || refusalOf(error) === 'refused') {
        onNotKept(error)
        return null
      }
    }
    await pause(Math.min(50 * 2 ** attempt, 2_000), undefined, { signal: leaving }).catch(() => undefined)
  }
}
