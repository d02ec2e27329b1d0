import type { Logger } from 'pino'
import { migrate, pendingMigrations } from './migrate.ts'
import type { Database } from './pool.ts'
import { makeReader } from './reader.ts'
import { refusalOf } from './refusal.ts'

export interface OpenStoreOptions {
  migrate: boolean
  log: Logger
  isClosing: () => boolean
}

/**
 * Waits until the database can be reached and its schema is current; migrates it unless told not to. Throws only for
 * what waiting can't mend.
 */
export async function openStore(db: Database, options: OpenStoreOptions): Promise<void> {
  const { log, isClosing } = options
  for (let attempt = 1; !isClosing(); attempt += 1) {
    try {
      if (options.migrate) {
        const steps = await migrate(db)
        await makeReader(db)
        if (steps.length > 0) log.info({ steps }, 'the schema was migrated')
        return
      }
      const pending = await pendingMigrations(db)
      if (pending.length === 0) return
      if (attempt === 1) log.warn({ pending }, 'the schema is not current: run npm run migrate')
    } catch (error) {
      if (!isPassing(error)) throw error
      if (attempt === 1) log.warn({ err: error }, 'the database is away; trying again every second')
    }
    await new Promise(resolve => setTimeout(resolve, 1_000))
  }
}

function isPassing(error: unknown): boolean {
  const root = error instanceof Error && error.cause !== undefined ? error.cause : error
  return refusalOf(root) !== 'refused'
}
