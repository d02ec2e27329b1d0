import { promises as fs } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Kysely, sql } from 'kysely'
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration'
import { sqlState } from './refusal.ts'

const folder = path.join(import.meta.dirname, '..', '..', 'migrations')

async function stepNames(): Promise<string[]> {
  const files = (await fs.readdir(folder)).filter(file => file.endsWith('.ts'))
  return files.map(file => path.basename(file, '.ts')).sort()
}

/** What waiting can't fix. Its message is for whoever runs the service, and names parts of the schema and no values. */
export class CannotMigrate extends Error {
  override name = 'CannotMigrate'
}

/** The steps in `migrations/`, by file name. */
export const migrationFiles: MigrationProvider = {
  async getMigrations() {
    const steps = (await stepNames()).map(async (name): Promise<[string, Migration]> => {
      return [name, await import(pathToFileURL(path.join(folder, `${name}.ts`)).href)]
    })
    return Object.fromEntries(await Promise.all(steps))
  },
}

/** In the schema of our tables: another program may keep a table of the same name in one of its own. */
function migrator<Tables>(db: Kysely<Tables>, migrationTableSchema: string): Migrator {
  return new Migrator({ db, provider: migrationFiles, migrationTableSchema })
}

/**
 * Brings the schema up to date and returns the names of the steps that ran. Several processes may start at once: the
 * migrator takes a lock in the database, so one of them works and the others find nothing left to do.
 */
export async function migrate<Tables>(db: Kysely<Tables>): Promise<string[]> {
  // The migrator would read much of the catalogue to find this out, at every start.
  const [ours, done] = await Promise.all([stepNames(), stepsDone(db)])
  if (ours.join() === done.join()) return []
  const foreign = done.filter(name => !ours.includes(name))
  if (foreign.length > 0) throw new CannotMigrate(laterVersion(foreign))
  const { error, results } = await migrator(db, await placeFor(db, done)).migrateToLatest()
  if (error !== undefined) {
    const failed = results?.find(result => result.status === 'Error')?.migrationName
    throw new CannotMigrate(`migration ${failed ?? ''} failed${wordsOf(error)}; nothing of it was kept`, {
      cause: error,
    })
  }
  return (results ?? []).map(result => result.migrationName)
}

/** The schema for the tables. Throws, before anything is made in it, when they can't be there for long. */
async function placeFor<Tables>(db: Kysely<Tables>, done: readonly string[]): Promise<string> {
  const { rows } = await sql<{ schema: string | null; encoding: string; before: string | null }>`
    select current_schema() as schema, current_setting('server_encoding') as encoding,
      (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid = to_regclass('kysely_migration')) as before`.execute(db)
  const [{ schema, encoding, before } = { schema: null, encoding: '', before: null }] = rows
  if (schema === null)
    throw new CannotMigrate('no schema of the search_path exists: make it, or correct the search_path')
  // Made since, perhaps for another purpose: there the steps would begin anew, and the service with nothing.
  if (done.length > 0 && before !== schema)
    throw new CannotMigrate(`the tables are in ${before}, but the search_path begins with ${schema}: correct it`)
  if (done.length === 0 && !holdsAnyText.includes(encoding))
    throw new CannotMigrate(`${cannotHold} ${encoding}; make one with UTF8`)
  return schema
}

const holdsAnyText = ['UTF8', 'SQL_ASCII']
const cannotHold = 'what the carrier sends may hold any character, which a database can not keep in the encoding'

/** Whether this version gets on with that schema, only who made it knows. */
function laterVersion(steps: readonly string[]): string {
  return `the schema is of a later version, with ${steps.join(', ')}: run that one, or this one with MIGRATE=off`
}

/**
 * The server's own words, when they name parts of the schema and no values: a wrong statement, a table in the way, a
 * missing privilege.
 */
function wordsOf(error: unknown): string {
  const code = sqlState(error)
  return code === null ? '' : ` (${code}${code.startsWith('42') ? `: ${(error as Error).message}` : ''})`
}

/** Names of the steps that this code has and the database has not run. */
export async function pendingMigrations<Tables>(db: Kysely<Tables>): Promise<string[]> {
  const done = new Set(await stepsDone(db))
  return (await stepNames()).filter(name => !done.has(name))
}

/** As the migrator recorded them, in order; none in a database that it has never seen. */
async function stepsDone<Tables>(db: Kysely<Tables>): Promise<string[]> {
  try {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
    return rows.map(({ name }) => name).sort()
  } catch (error) {
    if (sqlState(error) === undefinedTable) return []
    throw error
  }
}

const undefinedTable = '42P01'
