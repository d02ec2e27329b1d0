import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { readConfig } from '../src/config.ts'
import { migrate } from '../src/database/migrate.ts'
import type { Database } from '../src/database/pool.ts'
import { credentialsDigest } from '../src/listeners/credentials-digest.ts'
import { acceptCredentials, confirmCredentials } from '../src/listeners/stored-listeners.ts'
import { createLog } from '../src/log.ts'
import { createToken } from '../src/operating/stored-tokens.ts'
import { loadDatabaseKeys } from '../src/secrets/database-keys.ts'
import { createSealer } from '../src/secrets/sealer.ts'
import { startService } from '../src/service.ts'
import { openTestDatabase } from './fixtures/connection.ts'
import { createTestDatabase } from './fixtures/database.ts'
import { device, makeCallback } from './fixtures/make-callback.ts'
import { sealKey } from './fixtures/run-command.ts'
import { account, send, startTestService } from './fixtures/service.ts'

const listener = { accountName: account, serviceName: 'CarrierService' }
const credentials = { username: 'name', password: 'the listener password' }

/** A database with a token and a listener in it. */
async function fill(t: Test): Promise<{ url: string; token: string; db: Database }> {
  const url = await createTestDatabase(t)
  const db = openTestDatabase(t, url)
  await migrate(db)
  const token = await createToken(db, { name: 'all', scopes: ['read', 'metrics'], accounts: ['*'] })
  const keys = await loadDatabaseKeys(db, createSealer(Buffer.from(sealKey, 'base64')))
  const digest = credentialsDigest(keys.listeners, credentials.username, credentials.password)
  const at = 'https://example.com/x'
  const id = await acceptCredentials(db, listener, { url: at, username: credentials.username, digest })
  await confirmCredentials(db, listener, id, at)
  return { url, token, db }
}

async function closeDatabase(t: Test, url: string): Promise<() => Promise<void>> {
  const name = new URL(url).pathname.slice(1)
  const admin = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL })
  await admin.connect()
  t.teardown(() => admin.end())
  await admin.query(`alter database ${name} allow_connections false`)
  await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
  return async () => {
    await admin.query(`alter database ${name} allow_connections true`)
  }
}

t.test('who asks without a token before it is known whether there is one is not sent away', async t => {
  const url = await createTestDatabase(t)
  const holder = new pg.Client({ connectionString: url })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  await holder.query('lock table api_tokens in access exclusive mode')
  const config = readConfig({ PORT: '0', DATABASE_URL: url, SEAL_KEY: sealKey, LOG_LEVEL: 'silent' })
  const service = await startService(config, createLog('silent'))
  t.teardown(() => service.close())
  const asked = send(`${service.url}/v1/summary`, 'GET', {})
  await sleep(100)
  await holder.query('rollback')
  await service.opened
  t.not((await asked).status, 401, 'a page would take that for the end of its session')
})

t.test('what was known counts on while the database is away, except where a revoked token would', async t => {
  const { url, token } = await fill(t)
  const service = await startTestService(t, { DATABASE_URL: url })
  const bearer = { authorization: `Bearer ${token}` }
  t.match(await service.get('/v1/changes', bearer), { status: 200 })
  const reopen = await closeDatabase(t, url)
  await sleep(2_200)
  t.match(
    await service.callback(makeCallback(credentials), { once: true }),
    { status: 503 },
    'authentic, but not stored',
  )
  t.match(await service.callback(makeCallback({ ...credentials, password: 'wrong' })), { status: 403 })
  t.match(await service.callback(makeCallback(credentials), { service: 'NiddService' }), { status: 403 })
  const refused = await service.get('/v1/changes', bearer)
  t.match(refused, { status: 503, body: { errorMessage: /the token can not be checked now/ } })
  t.equal(refused.headers.get('retry-after'), '1')
  t.match(await service.get('/v1/changes'), { status: 401 }, 'without a token there is nothing to check')
  const metrics = await service.get('/metrics', bearer)
  t.match(metrics, { status: 200 }, 'metrics are needed most just now')
  const [, age] = /^thingspace_callers_age_seconds (\S+)$/m.exec(metrics.body) ?? []
  t.ok(Number(age) > 2 && Number(age) < 30, `its age shows: ${age} s`)
  await reopen()
  for (let tries = 0; tries < 100; tries++) {
    if ((await service.get('/v1/changes', bearer)).status === 200) break
    await sleep(50)
  }
  t.match(await service.get('/v1/changes', bearer), { status: 200 })
  t.match(await service.callback(makeCallback(credentials)), { status: 200 })
})

t.test('until the database was reached nothing is taken for the try-out mode', async t => {
  const { url, token } = await fill(t)
  const reopen = await closeDatabase(t, url)
  const config = readConfig({ PORT: '0', DATABASE_URL: url, SEAL_KEY: sealKey, LOG_LEVEL: 'silent' })
  t.ok(config.tryOut)
  const service = await startService(config, createLog('silent'))
  t.teardown(() => service.close())
  const get = (path: string, headers = {}) => send(service.url + path, 'GET', { headers })
  const path = `/callbacks/${account}/CarrierService`
  const post = (body: unknown) => send(service.url + path, 'POST', { body })
  t.notOk(service.isTriedOut())
  t.match(await get('/v1/changes'), { status: 503 }, 'whether a token is needed is not known')
  t.match(await get('/v1/changes', { authorization: `Bearer ${token}` }), { status: 503 })
  t.match(await get('/metrics'), { status: 503 })
  t.match(await get('/health/live'), { status: 200 })
  t.match(await post(makeCallback()), { status: 503 }, 'its listener may be in the database')
  t.match(await post(makeCallback(credentials)), { status: 503 })
  await reopen()
  await service.opened
  t.notOk(service.isTriedOut())
  t.match(await post(makeCallback()), { status: 403 })
  t.match(await post(makeCallback(credentials)), { status: 200 })
})

t.test('asking with tokens that nobody knows does not hold up receiving', async t => {
  const { url } = await fill(t)
  const service = await startTestService(t, { DATABASE_URL: url })
  const [{ before }] = await service.sql(
    'select count(*)::int as before from pg_stat_activity where datname = current_database()',
  )
  let asking = true
  const asked = Array.from({ length: 20 }, async (_, n) => {
    const statuses = new Set<number>()
    while (asking) {
      const guessed = createHash('sha256').update(`${n} ${statuses.size} ${Math.random()}`).digest('base64url')
      statuses.add((await service.get('/v1/changes', { authorization: `Bearer ${guessed}` })).status)
    }
    return [...statuses]
  })
  const statuses = new Set<number>()
  for (let n = 0; n < 50; n++) {
    statuses.add((await service.callback(makeCallback({ ...credentials, ...device(n), requestId: `r-${n}` }))).status)
  }
  asking = false
  t.strictSame([...new Set((await Promise.all(asked)).flat())], [401])
  t.strictSame([...statuses], [200])
  const [{ after }] = await service.sql(
    'select count(*)::int as after from pg_stat_activity where datname = current_database()',
  )
  t.ok(after - before < 10, 'a wrong token costs no query and no connection')
})
