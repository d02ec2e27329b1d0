import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import { type Database, type DatabaseOptions, openPool } from './pool.ts'
import type { Tables } from './tables.ts'

/** The pool of the background work, for the job library and for the jobs themselves. */
export interface JobStore {
  db: Database
  /** Runs SQL of the job library. A statement that failed costs its connection, so no broken one is used again. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: Row[] }>
  /** Called when a statement goes through after one that did not. */
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

/** What the library asks all the time is quick, so that its silence soon tells of a link that went dead. */
const quickMs = 1_500

/** On a client of our own: what the pool does by itself calls back, and takes our clients for plain ones. */
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
