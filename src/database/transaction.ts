import type { Transaction } from 'kysely'
import type { Database } from './pool.ts'
import { refusalOf } from './refusal.ts'
import type { Tables } from './tables.ts'

const mostAttempts = 5

/** Runs the work in one transaction. If another one made the same rows first, it starts over and sees them. */
export async function inTransaction<T>(db: Database, work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (refusalOf(error) !== 'try-again' || attempt === mostAttempts) throw error
    }
  }
}
