import { type Config, readConfig } from '../config.ts'
import { migrate, pendingMigrations } from '../database/migrate.ts'
import { type Database, openDatabase } from '../database/pool.ts'
import { CannotDo } from './command-line.ts'

/** Does the work on the service's database, with the schema up to date, and lets go of it whatever happens. */
export async function withDatabase<T>(config: Config, work: (db: Database) => Promise<T>): Promise<T> {
  const embedded = config.databaseUrl === null ? await reachEmbedded(config) : null
  const db = openDatabase({
    url: config.databaseUrl ?? embedded?.url ?? '',
    name: 'thingspace command',
    connections: 3,
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 10_000,
    connectionTimeoutMs: 10_000,
    onConnectionError: () => undefined,
  })
  try {
    if (config.migrate) await migrate(db)
    else if ((await pendingMigrations(db)).length > 0) throw new CannotDo('the schema is not current: npm run migrate')
    return await work(db)
  } finally {
    await db.destroy()
    await embedded?.stop()
  }
}

/** The service's environment as a command reads it: where the service listens does not matter here. */
export function withoutAddress(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { HOST: _, PORT: __, ...rest } = env
  return rest
}

/** Only what says where the database is: a command must not fail over any other variable that is wrong or missing. */
export function databaseAlone(env: NodeJS.ProcessEnv): Config {
  const { DATABASE_URL, DATABASE_URL_FILE, DATA_DIR, MIGRATE } = env
  const unused = Buffer.alloc(32).toString('base64')
  return readConfig({ DATABASE_URL, DATABASE_URL_FILE, DATA_DIR, MIGRATE, SEAL_KEY: unused })
}

/** Loaded only when needed: a production install does not contain it. */
async function reachEmbedded({ dataDir }: Config) {
  const { reachEmbeddedPostgres } = await import('../database/embedded-reach.ts')
  try {
    return await reachEmbeddedPostgres({ dataDir })
  } catch (error) {
    throw new CannotDo((error as Error).message, { cause: error })
  }
}
