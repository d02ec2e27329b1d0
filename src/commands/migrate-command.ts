import { parseArgs } from 'node:util'
import { grantTo } from '../database/grant.ts'
import { openJobStore } from '../database/job-store.ts'
import { migrate } from '../database/migrate.ts'
import { makeReader } from '../database/reader.ts'
import { migrateJobs } from '../operating/jobs.ts'
import { databaseAlone } from './command-database.ts'
import { CannotDo, command } from './command-line.ts'

const usage = `npm run migrate -- [--grant-to ROLE]

  Brings the schema up to date. The service does so by itself when it starts, unless MIGRATE=off.

  --grant-to ROLE   lets that role use the tables, and nothing more, for a service that runs with MIGRATE=off

  DATABASE_URL: with a role that may define tables; no other variable is read
`

/** Also where the owner could not make the reader's role: the service says so when it starts. */
function withoutReader(role: string): string {
  return `row-level security stays off for ${role}: the owner needs CREATEROLE, and before PostgreSQL 16 ${role} must be NOINHERIT; then run this again`
}

export const migrateCommand = command(usage, async (args, { env, say }) => {
  const { values } = parseArgs({ args, options: { 'grant-to': { type: 'string' } } })
  const role = values['grant-to']
  const { databaseUrl } = databaseAlone(env)
  if (databaseUrl === null) throw new CannotDo('set DATABASE_URL: the embedded database is migrated whenever it starts')
  const store = openJobStore({
    url: databaseUrl,
    name: 'thingspace migrate',
    connections: 2,
    statementTimeoutMs: 3_600_000,
    lockTimeoutMs: 60_000,
    connectionTimeoutMs: 10_000,
    onConnectionError: () => undefined,
  })
  try {
    const steps = await migrate(store.db)
    await makeReader(store.db)
    await migrateJobs(store)
    const isRestricted = role === undefined || (await grantTo(store.db, role))
    say(steps.length === 0 ? 'the schema is current' : `migrated: ${steps.join(', ')}`)
    if (role !== undefined) say(`${role} may use the tables`)
    if (role !== undefined && !isRestricted) say(withoutReader(role))
    return 0
  } finally {
    await store.db.destroy()
  }
})
