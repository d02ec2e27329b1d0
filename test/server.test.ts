import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import t from 'tap'
import { createEmptyDatabase } from './fixtures/database.ts'
import { device, makeCallback } from './fixtures/make-callback.ts'
import { failToStart, startServerProcess } from './fixtures/server-process.ts'
import { account, send } from './fixtures/service.ts'

const sealKey = Buffer.alloc(32, 7).toString('base64')

t.test('with nothing configured it starts, keeps what came through a kill, and leaves on SIGTERM', async t => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'server-test-'))
  // Run by root, the database is another user's, who must pass through here.
  await chmod(dataDir, 0o711)
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const env = { DATA_DIR: dataDir }
  const first = await startServerProcess(t, env)
  t.match(first.output.join('\n'), /TRY-OUT MODE/)
  const url = `/callbacks/${account}/CarrierService`
  t.match(await send(first.url + url, 'POST', { body: makeCallback() }), { status: 200 })
  t.equal(await first.end('SIGKILL'), 'SIGKILL')

  const second = await startServerProcess(t, env)
  const profile = await send(`${second.url}/v1/profiles/${device(1).iccid}`, 'GET', {})
  t.match(profile, { status: 200, body: { state: 'ACTIVE', profileRole: 'LEAD' } })
  t.match(await send(second.url + url, 'POST', { body: makeCallback() }), { body: { verdict: 'repeated' } })
  t.equal(await second.end('SIGTERM'), 0)
})

t.test('SIGTERM finishes the callbacks that are under way, and exits 0', async t => {
  const server = await startServerProcess(t, { DATABASE_URL: await createEmptyDatabase(t), SEAL_KEY: sealKey })
  const callbacks = Array.from({ length: 100 }, (_, n) =>
    send(`${server.url}/callbacks/${account}/CarrierService`, 'POST', {
      body: makeCallback({ requestId: `under-way-${n}`, ...device(n) }),
    }).then(
      ({ status }) => status,
      () => 'not taken',
    ),
  )
  await Promise.race(callbacks)
  const left = server.end('SIGTERM')
  const answers = await Promise.all(callbacks)
  t.equal(await left, 0)
  // 202 where the machine was too slow for the database: then it lies in the spool.
  t.ok(answers.includes(200) || answers.includes(202))
  t.strictSame(
    answers.filter(answer => answer !== 200 && answer !== 202 && answer !== 'not taken'),
    [],
  )
})

t.test('it says what is missing, all at once, and does not start', async t => {
  const open = await failToStart({ HOST: '0.0.0.0', PORT: 'x', SEAL_KEY: 'short' })
  t.equal(open.code, 1)
  for (const message of [/HOST: .*THINGSPACE_ACCOUNT.*API_TOKENS/, /PORT: a whole number/, /SEAL_KEY: must be/]) {
    t.match(open.output, message)
  }
  const bare = await failToStart({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
  t.match(bare, { code: 1, output: /SEAL_KEY: needed with DATABASE_URL/ })
})

t.test('a port that is taken is told, and nothing is left behind', async t => {
  const env = { DATABASE_URL: await createEmptyDatabase(t), SEAL_KEY: sealKey }
  const server = await startServerProcess(t, env)
  t.match(await failToStart({ ...env, PORT: new URL(server.url).port }), { code: 1, output: /EADDRINUSE/ })
})

t.test('a schema that can not be migrated ends the start, and says which step failed at what', async t => {
  const databaseUrl = await createEmptyDatabase(t)
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('create table callbacks (belongs_to text)')
  await client.end()
  t.match(await failToStart({ DATABASE_URL: databaseUrl, SEAL_KEY: Buffer.alloc(32, 7).toString('base64') }), {
    code: 1,
    output: /migration 0001-\S+ failed \(42P07: relation "callbacks" already exists\); nothing of it was kept/,
  })
})
