import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { grantTo } from '../database/grant.ts'
import { openJobStore } from '../database/job-store.ts'
import { migrate } from '../database/migrate.ts'
import { makeReader } from '../database/reader.ts'
import { migrateJobs } from '../operating/jobs.ts'

// --grant-to ROLE: lets that role use the tables, and nothing more, for a service that runs with MIGRATE=off.
const { values } = parseArgs({ options: { 'grant-to': { type: 'string' } } })
const role = values['grant-to']
const { databaseUrl } = readConfig(process.env)
if (databaseUrl === null) {
  process.stderr.write('set DATABASE_URL: the embedded database is migrated whenever it starts\n')
  process.exit(1)
}
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
  if (role !== undefined) await grantTo(store.db, role)
  process.stdout.write(steps.length === 0 ? 'the schema is current\n' : `migrated: ${steps.join(', ')}\n`)
  if (role !== undefined) process.stdout.write(`${role} may use the tables\n`)
} finally {
  await store.db.destroy()
}
