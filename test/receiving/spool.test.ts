import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { credentialsDigest } from '../../src/listeners/credentials-digest.ts'
import { acceptCredentials, confirmCredentials } from '../../src/listeners/stored-listeners.ts'
import { createLog } from '../../src/log.ts'
import { openSpool, SpoolTaken } from '../../src/receiving/spool.ts'
import { loadDatabaseKeys } from '../../src/secrets/database-keys.ts'
import { CannotOpen, createSealer } from '../../src/secrets/sealer.ts'
import { startService } from '../../src/service.ts'
import { type Link, startLink } from '../faults/link.ts'
import { mountSmallDisk } from '../faults/own-postgres.ts'
import { connection } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startServerProcess } from '../fixtures/server-process.ts'
import { type Answer, account, send } from '../fixtures/service.ts'

const sealKey = Buffer.alloc(32, 7).toString('base64')
const credentials = { username: 'name', password: 'the listener password' }
const requests = 'select a.request_id from callbacks c join activations a on a.id = c.activation_id'
const bearer = { authorization: 'Bearer token' }

// Most of the time is spent waiting for what is away.
t.jobs = 4

interface Stage {
  link: Link
  dataDir: string
  env: Record<string, string>
  sql: (text: string) => Promise<pg.QueryResult['rows']>
}

/** A database behind a link that can be cut, and a folder for the spool. */
async function prepare(t: Test): Promise<Stage> {
  const databaseUrl = await createTestDatabase(t)
  const link = await startLink(databaseUrl)
  t.teardown(() => link.stop())
  const dataDir = await mkdtemp(path.join(tmpdir(), 'spool-test-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  pool.on('error', () => undefined)
  t.teardown(() => pool.end())
  const env = {
    PORT: '0',
    DATABASE_URL: link.url,
    DATA_DIR: dataDir,
    SEAL_KEY: sealKey,
    THINGSPACE_ACCOUNT: account,
    CALLBACK_USERNAME: credentials.username,
    CALLBACK_PASSWORD: credentials.password,
    API_TOKENS: `all:read,metrics:*:${createHash('sha256').update('token').digest('hex')}`,
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
  }
  return { link, dataDir, env, sql: async text => (await pool.query(text)).rows }
}

async function start(t: Test, env: Record<string, string>) {
  const config = readConfig(env)
  const service = await startService(config, createLog(config.logLevel))
  let closed: Promise<void> | null = null
  const close = () => (closed ??= service.close())
  t.teardown(close)
  return { ...service, close }
}

function post(url: string, n: number, more = {}): Promise<Answer> {
  const body = makeCallback({ ...credentials, ...device(n), requestId: `request-${n}`, secret: 'a-canary', ...more })
  return send(`${url}/callbacks/${account}/CarrierService`, 'POST', { body })
}

async function metric(url: string, name: string): Promise<number> {
  const { body } = await send(`${url}/metrics`, 'GET', { headers: bearer })
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1])
}

async function ready(url: string): Promise<Answer> {
  return send(`${url}/health/ready`, 'GET', {})
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(25)
}

t.test(
  'a service that starts while the database is away takes callbacks, and stores them when it comes',
  { buffered: true },
  async t => {
    const { link, env, sql } = await prepare(t)
    link.close()
    const service = await start(t, env)
    const { url } = service
    t.match(await send(`${url}/health/live`, 'GET', {}), { status: 200 })
    t.match(await ready(url), { status: 503 })
    const first = await post(url, 1)
    t.match(first, { status: 202, body: { verdict: 'spooled' } })
    t.strictSame(Object.keys(first.body).sort(), ['callbackId', 'verdict'])
    t.match(await post(url, 1, { password: 'wrong' }), { status: 403 })
    const answers = await Promise.all([2, 3, 4, 5].map(n => post(url, n)))
    t.strictSame([...new Set(answers.map(({ status }) => status))], [202])
    t.equal(await metric(url, 'thingspace_spool_depth'), 5)
    t.ok((await metric(url, 'thingspace_spool_bytes')) > 5_000)
    t.ok((await metric(url, 'thingspace_spool_oldest_age_seconds')) >= 0)

    link.restore()
    await service.opened
    await until(async () => (await metric(url, 'thingspace_spool_depth')) === 0)
    t.match(await ready(url), { status: 200 })
    t.equal(await metric(url, 'thingspace_spool_bytes'), 0)
    t.equal(await metric(url, 'thingspace_spool_spooled_total'), 5)
    t.equal(await metric(url, 'thingspace_spool_drained_total'), 5)
    const stored = await sql('select id from callbacks order by id')
    const acknowledged = [first, ...answers].map(({ body }) => body.callbackId).sort()
    t.strictSame(
      stored.map(row => row.id),
      acknowledged,
      'each under the id it was acknowledged with',
    )
    t.match(await post(url, 6), { status: 200, body: { verdict: 'unmatched' } })
  },
)

t.test(
  'a database that goes away under load costs no callback: none refused, none lost, none doubled',
  { buffered: true },
  async t => {
    const { link, env, sql } = await prepare(t)
    const service = await start(t, env)
    await service.opened
    const sent = new Map<number, Answer>()
    let sending = true
    const senders = Array.from({ length: 8 }, async (_, sender) => {
      for (let n = sender; sending; n += 8) {
        sent.set(n, await post(service.url, n))
        await sleep(5)
      }
    })
    const spooled = () => [...sent.values()].filter(({ status }) => status === 202).length
    await until(async () => sent.size >= 50)
    link.close()
    await until(async () => spooled() >= 200)
    const before = spooled()
    link.restore()
    // New ones go to the database while the spool is drained.
    await until(async () => (await metric(service.url, 'thingspace_spool_depth')) === 0)
    const stored = [...sent.values()].filter(({ status }) => status === 200).length
    await until(async () => [...sent.values()].filter(({ status }) => status === 200).length >= stored + 20)
    sending = false
    await Promise.all(senders)
    await until(async () => (await metric(service.url, 'thingspace_spool_depth')) === 0)
    t.ok(before >= 200)
    t.strictSame([...new Set([...sent.values()].map(({ status }) => status))].sort(), [200, 202])
    const rows = await sql(requests)
    const found = rows.map(row => row.request_id)
    t.equal(new Set(found).size, found.length, 'each once')
    t.strictSame(new Set(found), new Set([...sent.keys()].map(n => `request-${n}`)))
  },
)

t.test('a link that goes dead in silence costs no callback either', { buffered: true }, async t => {
  const { link, env, sql } = await prepare(t)
  const service = await start(t, env)
  await service.opened
  t.match(await post(service.url, 0), { status: 200 })
  link.freezeAll()
  const answers = await Promise.all(Array.from({ length: 1_200 }, (_, n) => post(service.url, n + 1)))
  t.strictSame([...new Set(answers.map(({ status }) => status))], [202])
  link.dropFrozen()
  link.restore()
  await until(async () => (await metric(service.url, 'thingspace_spool_depth')) === 0)
  t.strictSame(await sql('select count(*)::int as stored from callbacks'), [{ stored: 1_201 }])
})

t.test(
  'a process that is killed with callbacks in its spool leaves them to the next one',
  { buffered: true },
  async t => {
    const { link, dataDir, env, sql } = await prepare(t)
    const killed = await startServerProcess(t, { ...env, LOG_LEVEL: 'info' })
    link.close()
    const first = await post(killed.url, 1)
    t.equal(first.status, 202)
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => post(killed.url, n + 2)))
    t.strictSame([...new Set(answers.map(({ status }) => status))], [202])
    await killed.end('SIGKILL')

    for (const file of await readdir(dataDir)) {
      const bytes = execFileSync('cat', [path.join(dataDir, file)], { maxBuffer: 1e9 }).toString('latin1')
      for (const secret of ['a-canary', credentials.password, device(1).iccid, 'request-1', 'deviceResponse']) {
        t.notOk(bytes.includes(secret), `no ${secret} in ${file}`)
      }
    }
    t.ok((await readdir(dataDir)).includes('spool.sqlite'))

    link.restore()
    const next = await startServerProcess(t, { ...env, LOG_LEVEL: 'info' })
    await until(async () => (await metric(next.url, 'thingspace_spool_depth')) === 0)
    const rows = await sql('select id, times_seen from callbacks')
    t.strictSame(rows.map(row => row.id).sort(), [first, ...answers].map(({ body }) => body.callbackId).sort())

    const taken = await start(t, env)
    await taken.opened
    t.equal(await metric(taken.url, 'thingspace_spool_active'), 0, 'one owner per folder')
    t.match(await post(taken.url, 400), { status: 200 }, 'the other runs without a spool')
    link.close()
    t.match(await post(taken.url, 401), { status: 503 })
    t.match(await post(next.url, 401), { status: 202 })
    t.equal(await next.end('SIGTERM'), 0)
  },
)

t.test('a full spool refuses, and before it is full the service is not ready', { buffered: true }, async t => {
  const { link, env, sql } = await prepare(t)
  const service = await start(t, { ...env, SPOOL_MAX_BYTES: '20000' })
  const { url } = service
  await service.opened
  link.close()
  const statuses: number[] = []
  while (statuses.at(-1) !== 503) statuses.push((await post(url, statuses.length)).status)
  t.ok(statuses.length > 5 && statuses.slice(0, -1).every(status => status === 202), statuses.join())
  const refused = await post(url, 99)
  t.match(refused, { status: 503, body: { errorCode: '503' } })
  t.equal(refused.headers.get('retry-after'), '1')
  t.match(await ready(url), { status: 503, body: { errorMessage: /the spool is nearly full/ } })
  link.restore()
  await until(async () => (await ready(url)).status === 200)
  await until(async () => (await metric(url, 'thingspace_spool_depth')) === 0)
  t.match(await post(url, 99), { status: 200 })
  t.equal((await sql('select 1 from callbacks')).length, statuses.length)
})

t.test(
  'a full disk under the spool refuses, loses nothing, and takes again when there is room',
  { buffered: true },
  async t => {
    const disk = await mountSmallDisk(t, 6)
    if (disk === null) return
    const { link, env, sql } = await prepare(t)
    const service = await start(t, { ...env, DATA_DIR: disk })
    const { url } = service
    await service.opened
    link.close()
    t.match(await post(url, 1), { status: 202 })
    const ballast = path.join(disk, 'ballast')
    await writeFile(ballast, Buffer.alloc(8 * 2 ** 20)).catch(() => undefined)
    let n = 2
    while ((await post(url, n)).status === 202) n += 1
    t.match(await post(url, n), { status: 503, body: { errorCode: '503' } })
    await rm(ballast)
    t.match(await post(url, n), { status: 202 })
    link.restore()
    await until(async () => (await metric(url, 'thingspace_spool_depth')) === 0)
    t.strictSame(await sql('select count(*)::int as stored from callbacks'), [{ stored: n }])
  },
)

t.test('what lies in the spool for too long is an alarm, and is kept all the same', { buffered: true }, async t => {
  const { link, env, sql } = await prepare(t)
  const service = await start(t, { ...env, SPOOL_MAX_AGE: '1ms' })
  const { url } = service
  await service.opened
  link.close()
  t.match(await post(url, 1), { status: 202 })
  await until(async () => /longer than SPOOL_MAX_AGE/.test((await ready(url)).body.errorMessage))
  t.equal(await metric(url, 'thingspace_spool_too_old'), 1)
  t.match(await post(url, 2), { status: 202 }, 'and it goes on taking')
  link.restore()
  await until(async () => (await ready(url)).status === 200)
  t.equal(await metric(url, 'thingspace_spool_too_old'), 0)
  t.strictSame(await sql('select count(*)::int as stored from callbacks'), [{ stored: 2 }])
})

t.test(
  'listeners made by command are known to a process that starts while the database is away',
  { buffered: true },
  async t => {
    const { link, env } = await prepare(t)
    const { THINGSPACE_ACCOUNT: _, CALLBACK_USERNAME: __, CALLBACK_PASSWORD: ___, ...without } = env
    const db = openDatabase(connection(link.url))
    await migrate(db)
    const keys = await loadDatabaseKeys(db, createSealer(Buffer.from(sealKey, 'base64')))
    const digest = credentialsDigest(keys.listeners, credentials.username, credentials.password)
    const name = { accountName: account, serviceName: 'CarrierService' }
    const at = { url: 'https://example.com/x', username: credentials.username, digest }
    await confirmCredentials(db, name, await acceptCredentials(db, name, at), at.url)
    await db.destroy()

    const first = await start(t, without)
    await first.opened
    // 202 where the machine was too slow for the database: it is known all the same.
    t.match(await post(first.url, 1), { status: /^20[02]$/ })
    await first.close()
    link.close()
    const next = await start(t, without)
    t.match(await post(next.url, 2), { status: 202 })
    t.match(await post(next.url, 2, { password: 'wrong' }), { status: 403 })
    const body = makeCallback(credentials)
    const unknown = await send(`${next.url}/callbacks/${account}/NiddService`, 'POST', { body })
    t.match(unknown, { status: 503 }, 'its listener may have come meanwhile')
  },
)

t.test(
  'callbacks under a key that is not there stay, hold up no others, and go once it is',
  { buffered: true },
  async t => {
    const { link, env, sql } = await prepare(t)
    link.close()
    const first = await start(t, env)
    t.match(await post(first.url, 1), { status: 202 })
    await first.close()
    link.restore()
    const other = Buffer.alloc(32, 8).toString('base64')
    const wrong = await start(t, { ...env, SEAL_KEY: other })
    await wrong.opened
    link.close()
    t.match(await post(wrong.url, 2), { status: 202 })
    link.restore()
    await until(async () => (await metric(wrong.url, 'thingspace_spool_drained_total')) === 1)
    t.equal(await metric(wrong.url, 'thingspace_spool_depth'), 1)
    await wrong.close()
    const right = await start(t, { ...env, SEAL_KEY: other, SEAL_KEYS_PREVIOUS: sealKey })
    await right.opened
    await until(async () => (await metric(right.url, 'thingspace_spool_depth')) === 0)
    t.strictSame(await sql(`${requests} order by 1`), [{ request_id: 'request-1' }, { request_id: 'request-2' }])
  },
)

t.test('what lay in the spool takes its place among what came before and after it', { buffered: true }, async t => {
  const { link, env, sql } = await prepare(t)
  const direct = await start(t, { ...env, DATA_DIR: `${env.DATA_DIR}/live` })
  await direct.opened
  link.close()
  const spooling = await start(t, env)
  const told = async (url: string, requestId: string, state: string) => {
    // Times are kept to the millisecond; within one of them the requests would have no order.
    await sleep(5)
    return (await post(url, 1, { requestId, state })).status
  }
  t.equal(await told(spooling.url, 'recorded', 'FIRST'), 202)
  t.equal(await told(spooling.url, 'named-first', 'SECOND'), 202)
  t.equal(await told(spooling.url, 'a-request-named-later', 'THIRD'), 202)
  await spooling.close()

  link.restore()
  await until(async () => (await told(direct.url, 'recorded', 'LAST OF ITS REQUEST')) === 200)
  const states = () => sql('select state from profiles')
  t.strictSame(await states(), [{ state: 'LAST_OF_ITS_REQUEST' }])
  await sql("update activations set submitted_at = submitted_at - interval '1 hour', recorded_at = submitted_at")
  await sql("update profiles set spoken_submitted_at = spoken_submitted_at - interval '1 hour'")

  const draining = await start(t, env)
  await draining.opened
  await until(async () => (await metric(draining.url, 'thingspace_spool_depth')) === 0)
  t.strictSame(await states(), [{ state: 'THIRD' }], 'of three requests the one that was named last')
  t.strictSame(await sql('select request_id from activations order by submitted_at'), [
    { request_id: 'recorded' },
    { request_id: 'named-first' },
    { request_id: 'a-request-named-later' },
  ])
  t.strictSame(
    await sql(`
        select s.facts ->> 'state' as state from results s join activations a on a.id = s.activation_id
        where a.request_id = 'recorded' order by s.at`),
    [{ state: 'FIRST' }, { state: 'LAST_OF_ITS_REQUEST' }],
  )
})

t.test(
  'a spool that another process has is had when that leaves, with what lies in it',
  { buffered: true },
  async t => {
    const { link, env, sql } = await prepare(t)
    const leaving = await start(t, env)
    await leaving.opened
    link.close()
    t.match(await post(leaving.url, 1), { status: 202 })
    const next = await start(t, env)
    t.strictSame(await spoolOf(next.url), { wanted: 1, active: 0 })
    t.match(await post(next.url, 2), { status: 503 })
    await leaving.close()
    await until(async () => (await metric(next.url, 'thingspace_spool_active')) === 1)
    t.match(await post(next.url, 2), { status: 202 })
    link.restore()
    await until(async () => (await metric(next.url, 'thingspace_spool_drained_total')) === 2)
    t.strictSame(await sql(`${requests} order by 1`), [{ request_id: 'request-1' }, { request_id: 'request-2' }])
  },
)

t.test('what lies in a spool that is not wanted any more comes in all the same', { buffered: true }, async t => {
  const { link, env, sql } = await prepare(t)
  const first = await start(t, env)
  await first.opened
  link.close()
  t.match(await post(first.url, 1), { status: 202 })
  await first.close()
  const without = await start(t, { ...env, SPOOL: 'off' })
  t.strictSame(await spoolOf(without.url), { wanted: 0, active: 0 })
  t.equal(await metric(without.url, 'thingspace_spool_depth'), 1)
  t.match(await post(without.url, 2), { status: 503 }, 'no others are kept there')
  link.restore()
  await until(async () => (await metric(without.url, 'thingspace_spool_drained_total')) === 1)
  t.strictSame(await sql(requests), [{ request_id: 'request-1' }])
})

t.test(
  'what was drained is no longer on the disk, and no more is read at once than fits',
  { buffered: true },
  async t => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'spool-test-'))
    t.teardown(() => rm(dataDir, { recursive: true, force: true }))
    const options = { dataDir, sealer: createSealer(Buffer.alloc(32, 7)), maxBytes: 100_000_000 }
    const spool = openSpool(options)
    const large = Buffer.alloc(3_000_000, 'x')
    const add = (n: number, bytes: Buffer) =>
      spool.add({ id: `id-${n}`, accountName: account, serviceName: 'X', bytes })
    await Promise.all([1, 2, 3, 4].map(n => add(n, large)))
    t.strictSame(
      [0, 3].map(place => spool.after(place, 512).map(row => row.place)),
      [[1, 2, 3], [4]],
    )
    spool.remove([1, 2, 3, 4])
    await add(5, Buffer.from('"a login"'))
    spool.close()

    const sealed = sealedIn(dataDir)
    t.equal(sealed.length, 1)
    const again = openSpool(options)
    t.ok(await isOnDisk(dataDir, sealed))
    again.remove(again.after(0, 9).map(({ place }) => place))
    t.notOk(await isOnDisk(dataDir, sealed))
    again.close()
    t.notOk(await isOnDisk(dataDir, sealed))
  },
)

function sealedIn(dataDir: string): Buffer[] {
  const db = new DatabaseSync(path.join(dataDir, 'spool.sqlite'))
  const rows = db.prepare('select sealed from callbacks').all()
  db.close()
  return rows.map(({ sealed }) => Buffer.from(sealed as Uint8Array))
}

async function isOnDisk(folder: string, wanted: Buffer[]): Promise<boolean> {
  const files = await Promise.all((await readdir(folder)).map(name => readFile(path.join(folder, name))))
  return wanted.some(one => files.some(file => file.includes(one)))
}

async function spoolOf(url: string): Promise<object> {
  const [wanted, active] = await Promise.all(['wanted', 'active'].map(name => metric(url, `thingspace_spool_${name}`)))
  return { wanted, active }
}

t.test('without a spool a callback is refused while the database is away', { buffered: true }, async t => {
  const { link, env } = await prepare(t)
  const service = await start(t, { ...env, SPOOL: 'off' })
  await service.opened
  link.close()
  t.match(await post(service.url, 1), { status: 503 })
  t.equal(await metric(service.url, 'thingspace_spool_active'), 0)
})

t.test(
  'callbacks that come together share one write, and a row that was moved does not open',
  { buffered: true },
  async t => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'spool-test-'))
    t.teardown(() => rm(dataDir, { recursive: true, force: true }))
    const sealer = createSealer(Buffer.alloc(32, 7))
    const spool = openSpool({ dataDir, sealer, maxBytes: 1_000_000 })
    const callback = (id: string) => ({
      id,
      accountName: account,
      serviceName: 'X',
      bytes: Buffer.from(`{"n":"${id}"}`),
    })
    let settled = 0
    const adding = ['a', 'b', 'c'].map(id => spool.add(callback(id)).then(() => (settled += 1)))
    t.equal(spool.depth(), 0)
    await adding[0]
    t.equal(spool.depth(), 3)
    await Promise.all(adding)
    t.equal(settled, 3)
    t.throws(() => openSpool({ dataDir, sealer, maxBytes: 1 }), SpoolTaken)
    t.strictSame(
      spool.after(0, 2).map(row => row.callback?.id),
      ['a', 'b'],
    )
    spool.remove([1])
    spool.close()
    const again = openSpool({ dataDir, sealer, maxBytes: 1_000_000 })
    t.match(
      again.after(0, 9).map(row => row.callback),
      [callback('b'), callback('c')].map(one => ({ ...one, spooledAt: Date })),
    )
    again.close()
    const { sealed, keyId } = sealer.seal(Buffer.from('x'), 'spool:a')
    t.throws(() => sealer.open(sealed, keyId, 'spool:b'), CannotOpen)
  },
)

t.test('nobody else may read a spool, not even in a folder that others read', { buffered: true }, async t => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'spool-test-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  await chmod(dataDir, 0o755)
  const spool = openSpool({ dataDir, sealer: createSealer(Buffer.alloc(32, 7)), maxBytes: 1_000_000 })
  await spool.add({ id: 'a', accountName: account, serviceName: 'X', bytes: Buffer.from('{}') })
  const modes = (await readdir(dataDir)).map(async file => [file, (await stat(path.join(dataDir, file))).mode & 0o077])
  const found = await Promise.all(modes)
  t.ok(found.length > 1, 'one of SQLite beside it')
  t.strictSame(
    Object.values(Object.fromEntries(found)),
    found.map(() => 0),
  )
  spool.close()
})
