import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { sharesSessions } from '../../src/database/open-store.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { failToStart } from '../fixtures/server-process.ts'
import { startTestService } from '../fixtures/service.ts'

const sealKey = Buffer.alloc(32, 7).toString('base64')
const missing = spawnSync('pgbouncer', ['--version']).error !== undefined
const skip = missing ? 'pgbouncer is not installed' : false

t.test('behind a pooler of sessions the service works as without', { skip }, async t => {
  const service = await startTestService(t, { DATABASE_URL: await startPooler(t, 'session') })
  t.match(await service.callback(makeCallback({ ...device(1) })), { status: 200 })
  t.match(await service.get(`/v1/devices/imei/${device(1).imei}`), { status: 200 })
  t.match(await service.get('/health/ready'), { status: 200 })
})

t.test('behind a pooler of transactions it does not start, and says why', { skip }, async t => {
  const ended = await failToStart({ DATABASE_URL: await startPooler(t, 'transaction'), SEAL_KEY: sealKey })
  t.match(ended, { code: 1, output: /it must pool sessions \(pool_mode = session\)/ })
})

t.test('it is known as one also while others use it', { skip }, async t => {
  const url = await startPooler(t, 'transaction')
  const db = openTestDatabase(t, url)
  let ended = false
  const busy = Array.from({ length: 10 }, async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    while (!ended) await client.query('select pg_sleep(0.001)')
    await client.end()
  })
  const found: boolean[] = []
  for (let times = 0; times < 20; times += 1) found.push(await sharesSessions(db))
  ended = true
  await Promise.all(busy)
  t.notOk(found.includes(false))
})

/** In front of a database of its own. Returns the URL. */
async function startPooler(t: Test, mode: 'session' | 'transaction'): Promise<string> {
  const url = new URL(await createEmptyDatabase(t))
  const folder = await mkdtemp(path.join(tmpdir(), 'pooler-'))
  await chmod(folder, 0o755)
  const port = await freePort()
  const settings = path.join(folder, 'pgbouncer.ini')
  const password = url.password === '' ? '' : `password=${decodeURIComponent(url.password)}`
  await writeFile(
    settings,
    `[databases]
* = host=${url.hostname} port=${url.port} user=${url.username} ${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 30
`,
  )
  // It refuses to run as root.
  const child = spawn('pgbouncer', [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), settings], {
    stdio: 'ignore',
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await rm(folder, { recursive: true })
  })
  url.host = `127.0.0.1:${port}`
  for (let tries = 1; ; tries += 1) {
    const client = new pg.Client({ connectionString: url.href })
    const isThere = await client.connect().then(
      () => true,
      () => false,
    )
    await client.end().catch(() => undefined)
    if (isThere) return url.href
    if (tries === 300) throw new Error('pgbouncer did not start')
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
