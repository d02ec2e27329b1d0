import { sql } from 'kysely'
import type { Logger } from 'pino'
import { migrate, pendingMigrations } from './migrate.ts'
import { type Database, openDatabase } from './pool.ts'
import { makeReader } from './reader.ts'
import { driverProblem, isDatabaseAway, sqlState } from './refusal.ts'

export interface OpenStoreOptions {
  migrate: boolean
  log: Logger
  isClosing: () => boolean
}

/**
 * Waits until the database can be reached and its schema is current; migrates it unless told not to. Throws only for
 * what waiting can't fix.
 */
export async function openStore(url: string, options: OpenStoreOptions): Promise<void> {
  const { log, isClosing } = options
  const db = openDatabase({ url, name: 'thingspace migrating', ...patient, onConnectionError: () => undefined })
  try {
    if (await onceReached(() => sharesSessions(db), options)) throw new Error(poolsTransactions)
    for (let told = false; !isClosing(); told = true) {
      const pending = await onceReached(() => migrateOrLook(db, options), options)
      if (pending.length === 0) return
      if (!told) log.warn({ pending }, 'the schema is not current: run npm run migrate')
      await pause()
    }
  } catch (error) {
    if (!isClosing()) throw error
  } finally {
    await db.destroy()
  }
}

/** A step over a large table takes its time, and another replica may be working on it. */
const patient = { connections: 2, statementTimeoutMs: 3_600_000, lockTimeoutMs: 60_000, connectionTimeoutMs: 3_000 }

/**
 * Whether two connections that are open at once have the same session, or one of them several: a pooler hands them round
 * after each transaction. What one is set to (whose rows it may see, that a commit is durable) would hold for another, and
 * not for itself. Asked a few times, since a pooler that others use may happen to give each its own.
 */
export async function sharesSessions(db: Database): Promise<boolean> {
  const session = async (of: Database, seen: Set<number>) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(of)
    for (const { pid } of rows) seen.add(pid)
  }
  const [ours, others] = [new Set<number>(), new Set<number>()]
  await db.connection().execute(one =>
    db.connection().execute(async other => {
      for (let times = 0; times < 5; times += 1) {
        await session(one, ours)
        await session(other, others)
      }
    }),
  )
  return ours.size > 1 || others.size > 1 || [...ours].some(pid => others.has(pid))
}

const poolsTransactions =
  'the pooler between this service and PostgreSQL pools transactions: it must pool sessions (pool_mode = session)'

async function migrateOrLook(db: Database, options: OpenStoreOptions): Promise<string[]> {
  if (!options.migrate) return pendingMigrations(db)
  const steps = await migrate(db)
  await makeReader(db)
  if (steps.length > 0) options.log.info({ steps }, 'the schema was migrated')
  return []
}

/** Does what needs the database, as soon as it can be reached. Throws for what waiting can't fix, and when closing. */
export async function onceReached<T>(
  work: () => Promise<T>,
  { log, isClosing }: Pick<OpenStoreOptions, 'log' | 'isClosing'>,
): Promise<T> {
  let told: string | null = null
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isPassing(error) || isClosing()) throw error
      // Once, and again when the reason changes: a server that was only starting may then refuse the password.
      const reason = whyNotReached(error)
      if (reason !== told) log.warn({ err: error }, `${reason}; trying again every second`)
      told = reason
    }
    await pause()
  }
}

function pause(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 1_000))
}

/** What somebody has to put right is said in words; for the rest there is the code in the log line. */
function whyNotReached(error: unknown): string {
  const code = sqlState(rootOf(error)) ?? ''
  if (code.startsWith('28')) return 'PostgreSQL refuses the user or the password of DATABASE_URL'
  if (code === '3D000') return 'PostgreSQL has no database of the name in DATABASE_URL'
  return 'the database is away'
}

function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error
}

/**
 * The server is away or busy, or the link or the system failed. Anything else is a fault of ours or of what is in the
 * database: a wrong statement, a table in the way, a missing privilege.
 */
function isPassing(error: unknown): boolean {
  const root = rootOf(error)
  if (sqlState(root) !== null) return isDatabaseAway(root)
  return driverProblem(root) !== null || typeof (root as { code?: unknown }).code === 'string'
}
