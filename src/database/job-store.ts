import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import { type Database, type DatabaseOptions, openPool } from './pool.ts'
import type { Tables } from './tables.ts'

/** The pool of the background work, for the job library and for the jobs themselves. */
export interface JobStore {
  db: Database
  /** Runs SQL for the job library. A statement that fails costs its connection, so no broken one is used again. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: Row[] }>
  /** Called when a statement succeeds after one that failed. */
  onRecovery(recovered: () => void): void
}

// biome-ignore lint/suspicious/noExplicitAny: the job library's own rows
type Row = any

export function openJobStore(options: DatabaseOptions): JobStore {
  const pool = openPool(options)
  let failed = false
  let recovered = () => {}
  return {
    db: new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }),
    async executeSql(text, values) {
      try {
        const answer = await query(pool, text, values)
        if (failed) {
          failed = false
          recovered()
        }
        return answer
      } catch (error) {
        failed = true
        throw error
      }
    },
    onRecovery(callback) {
      recovered = callback
    },
  }
}

/** The library's frequent queries are quick, so a silent link is soon recognised as dead. */
const quickMs = 1_500

/** On a client of our own: the pool's own query() calls back, and takes our clients for plain ones. */
async function query(pool: Pool, text: string, values?: unknown[]): Promise<{ rows: Row[] }> {
  const client = await pool.connect()
  try {
    const quick = values === undefined ? {} : { values, query_timeout: quickMs }
    const answer = await client.query({ text, ...quick })
    client.release()
    return answer
  } catch (error) {
    client.release(error as Error)
    throw error
  }
}
