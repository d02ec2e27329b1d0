import { sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { databaseProblems } from '../../src/database/readiness.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createEmptyDatabase, createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startTestService } from '../fixtures/service.ts'

/** What whoever runs the database may have set for all who use it. */
const settings = {
  datestyle: "'German, DMY'",
  default_transaction_isolation: "'repeatable read'",
  bytea_output: "'escape'",
  timezone: "'Asia/Kolkata'",
  standard_conforming_strings: 'off',
  array_nulls: 'off',
  row_security: 'off',
}

t.test('whatever the database is set to, callbacks are stored, and a pair that races never misses', async t => {
  const DATABASE_URL = await createTestDatabase(t)
  const admin = new pg.Client({ connectionString: DATABASE_URL })
  await admin.connect()
  for (const [name, value] of Object.entries(settings)) {
    await admin.query(`alter database ${new URL(DATABASE_URL).pathname.slice(1)} set ${name} = ${value}`)
  }
  await admin.end()
  const service = await startTestService(t, { DATABASE_URL })
  t.match(await service.sql("select current_setting('default_transaction_isolation') as is"), [
    { is: 'repeatable read' },
  ])
  for (let n = 0; n < 40; n += 1) {
    const requestId = `pair-${n}`
    // Its row is there, and not recorded: what comes now does not change that row, and nothing else tells of it.
    await service.callback(makeCallback({ requestId, ...device(1_000 + n) }))
    const [callback] = await Promise.all([
      service.callback(makeCallback({ requestId, ...device(n) })),
      new Promise(resolve => setTimeout(resolve, n % 6)).then(() => service.record(requestId, [device(n)])),
    ])
    t.equal(callback.status, 200)
    t.match((await service.get(`/v1/activations/${requestId}`)).body, { status: 'succeeded' }, requestId)
  }
  const { changedAt } = (await service.get(`/v1/profiles/${device(1).iccid}`)).body
  t.ok(Math.abs(Date.now() - Date.parse(changedAt)) < 3_600_000, `${changedAt} is now`)
})

t.test('a database that fires no triggers is not ready', async t => {
  const url = await createEmptyDatabase(t)
  const db = openTestDatabase(t, url)
  const name = sql.id(new URL(url).pathname.slice(1))
  await sql`alter database ${name} set session_replication_role = replica`.execute(db)
  t.match(await databaseProblems(openTestDatabase(t, url)), ['the database has session_replication_role = replica'])
})
