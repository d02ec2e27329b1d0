import { readConfig } from '../config.ts'
import { migrate } from '../database/migrate.ts'
import { openDatabase } from '../database/pool.ts'

const { databaseUrl } = readConfig(process.env)
if (databaseUrl === null) {
  process.stderr.write('set DATABASE_URL: the embedded database is migrated whenever it starts\n')
  process.exit(1)
}
const db = openDatabase({
  url: databaseUrl,
  name: 'thingspace migrate',
  connections: 2,
  statementTimeoutMs: 3_600_000,
  lockTimeoutMs: 60_000,
  connectionTimeoutMs: 10_000,
  onConnectionError: () => undefined,
})
try {
  const steps = await migrate(db)
  process.stdout.write(steps.length === 0 ? 'the schema is current\n' : `migrated: ${steps.join(', ')}\n`)
} finally {
  await db.destroy()
}
