import { randomBytes } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { request } from '../faults/load.ts'
import { listener, startInEarnest } from '../faults/stage.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { runCommand, runCommandProcess } from '../fixtures/run-command.ts'
import { account } from '../fixtures/service.ts'

t.test('the service runs with a role that owns nothing and can define nothing', async t => {
  const owned = await createEmptyDatabase(t)
  const owner = new pg.Client({ connectionString: owned })
  await owner.connect()
  const role = `service_${randomBytes(6).toString('hex')}`
  const { rows: servers } = await owner.query("select current_setting('server_version_num')::int as version")
  const isTold = servers[0].version < 160_000
  await owner.query(`create role ${role} login password '${role}'`)
  t.teardown(async () => {
    await owner.query(`drop owned by ${role}; drop role ${role}`)
    await owner.end()
  })
  const migrated = await runCommandProcess('migrate', ['--grant-to', role], { DATABASE_URL: owned })
  t.match(migrated, { code: 0, stdout: new RegExp(`${role} may use the tables`) })
  t.equal(/row-level security stays off/.test(migrated.stdout), isTold, migrated.stdout)
  if (isTold) {
    await owner.query(`alter role ${role} noinherit`)
    const again = await runCommandProcess('migrate', ['--grant-to', role], { DATABASE_URL: owned })
    t.match(again, { code: 0, stdout: new RegExp(`^the schema is current\n${role} may use the tables\n$`) })
  }

  const databaseUrl = Object.assign(new URL(owned), { username: role, password: role }).href
  const server = await startInEarnest(t, databaseUrl, { MIGRATE: 'off' })
  t.match(await request('GET', `${server.url}/health/ready`), { status: 200 })
  const callback = makeCallback({ requestId: 'by-sql', ...device(1), ...listener })
  t.match(await request('POST', `${server.url}/callbacks/${account}/CarrierService`, callback), { status: 200 })
  const deviceIds = Object.entries(device(1)).map(([kind, id]) => ({ kind, id }))
  const devices = JSON.stringify([{ deviceIds }])
  await owner.query('insert into outgoing_activations (request_id, account_name, devices) values ($1, $2, $3)', [
    'by-sql',
    account,
    devices,
  ])
  t.match(await untilRecorded(`${server.url}/v1/activations/by-sql`), { body: { status: 'succeeded' } })
  t.equal(await server.end('SIGTERM'), 0)
  const failures = server.output.filter(line => /"code":"42501"|can not start|row-level security is off/.test(line))
  t.strictSame(failures, [], 'no permission was missing')

  const service = new pg.Client({ connectionString: databaseUrl })
  await service.connect()
  t.teardown(() => service.end())
  for (const ddl of [
    'create table mine (n int)',
    'drop table callbacks',
    'alter table callbacks add column n int',
    'create schema mine',
    'truncate callbacks',
  ]) {
    await t.rejects(service.query(ddl), { code: '42501' }, ddl)
  }
})

t.test('the role is let into the schema in which the tables are', async t => {
  const url = `${await createEmptyDatabase(t)}?options=-c%20search_path%3Dtables`
  const owner = new pg.Client({ connectionString: url })
  await owner.connect()
  const role = `service_${randomBytes(6).toString('hex')}`
  await owner.query(`create role ${role}; create schema tables`)
  t.teardown(async () => {
    await owner.query(`drop owned by ${role}; drop role ${role}`)
    await owner.end()
  })
  t.match(await runCommand('migrate', ['--grant-to', role], { DATABASE_URL: url }), { code: 0 })
  const { rows } = await owner.query(
    `select has_schema_privilege($1, 'tables', 'usage') as enters, has_table_privilege($1, 'tables.callbacks', 'insert') as writes,
      has_function_privilege($1, 'tables.feed_head()', 'execute') as asks`,
    [role],
  )
  t.strictSame(rows, [{ enters: true, writes: true, asks: true }])
})

/** The background work takes it within two seconds, when it may. */
async function untilRecorded(url: string) {
  for (let tries = 1; ; tries += 1) {
    const answer = await request('GET', url)
    if (answer?.status === 200 || tries === 300) return answer
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
