import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { openSpool, type Spool } from '../../src/receiving/spool.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import { until } from '../fixtures/carrier.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { childProcesses } from '../fixtures/parent-processes.ts'
import { failToStart, startServerProcess } from '../fixtures/server-process.ts'
import { account, send, startTestService, type TestService } from '../fixtures/service.ts'

const sealKey = Buffer.alloc(32, 7).toString('base64')

/** Sent again until it is stored: a busy machine may be late, and keep it in a spool or answer 503. */
async function post(url: string, n: number) {
  const body = makeCallback({ requestId: `request-${n}`, ...device(n) })
  // a connection of its own, which goes to whichever worker is next
  const once = () =>
    send(`${url}/callbacks/${account}/CarrierService`, 'POST', { body, headers: { connection: 'close' } })
  let answer = await once()
  for (let tries = 1; answer.status !== 200 && tries < 20; tries += 1) answer = await once()
  return answer
}

async function metric(url: string, name: string): Promise<number> {
  const { body } = await send(`${url}/metrics`, 'GET', {})
  const lines = String(body).split('\n')
  return lines.filter(line => line.startsWith(name)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

t.test(
  'workers share a port and take each callback once, one that is killed is replaced, all leave together',
  async t => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'workers-test-'))
    t.teardown(() => rm(dataDir, { recursive: true, force: true }))
    const env = { WORKERS: '2', DATABASE_URL: await createTestDatabase(t), SEAL_KEY: sealKey, DATA_DIR: dataDir }
    const { url, child, output, end } = await startServerProcess(t, env)
    const said = async (text: string) => {
      const isSaid = () => output.some(line => line.includes(text))
      t.ok(await until(isSaid, yes => yes), `it says: ${text}`)
    }
    await said('all workers are ready')
    t.equal(output.filter(line => line.includes('TRY-OUT MODE')).length, 1, 'what all would say is said once')
    t.equal(await metric(url, 'thingspace_workers '), 2)
    t.equal(await metric(url, 'thingspace_workers_wanted '), 2)
    t.equal(await metric(url, 'thingspace_spool_max_bytes '), 1_073_741_824, 'they share the bytes')

    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => post(url, n % 20)))
    t.ok(answers.every(({ status }) => status === 200))
    t.equal(new Set(answers.map(({ body }) => body.callbackId)).size, 20, 'each once, whichever worker has it')
    t.ok(answers.filter(({ body }) => body.verdict !== 'repeated').length <= 20)
    const counted = await metric(url, 'thingspace_callbacks_received_total')
    t.ok(counted >= 60, 'whoever is asked tells of all')

    const before = await childProcesses(child.pid)
    t.equal(before.length, 2)
    process.kill(before[0] ?? 0, 'SIGKILL')
    await said('"msg":"a worker ended"')
    const running = await until(
      () => metric(url, 'thingspace_workers '),
      n => n === 2,
    )
    t.equal(running, 2, 'another one has taken its place')
    t.equal(await metric(url, 'thingspace_callbacks_received_total'), counted, 'what it had counted is not forgotten')
    t.ok((await metric(url, 'thingspace_callback_batch_size_count')) > 0)
    t.notOk((await childProcesses(child.pid)).includes(before[0] ?? 0))
    t.match(await post(url, 1), { status: 200, body: { verdict: 'repeated' } })

    t.equal(await end('SIGTERM'), 0)
    for (const pid of before) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    await t.rejects(fetch(`${url}/health/live`))
  },
)

t.test('workers share the embedded database, and what makes one of them fail ends all', async t => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'workers-test-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const server = await startServerProcess(t, { WORKERS: '2', DATA_DIR: dataDir })
  t.match(await post(server.url, 1), { status: 200 })
  const taken = { WORKERS: '2', DATABASE_URL: await createTestDatabase(t), SEAL_KEY: sealKey }
  const { code, output } = await failToStart({ ...taken, PORT: new URL(server.url).port })
  t.equal(code, 1)
  t.match(output, /EADDRINUSE/)
  t.equal(await server.end('SIGTERM'), 0)
})

t.test('what a worker left on the disk is brought in when there are fewer', async t => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'workers-test-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  for (const number of [2, 3]) (await keepCallback(dataDir, number)).close()
  const service = await startTestService(t, { DATA_DIR: dataDir, WORKERS: '2' })
  t.strictSame(await broughtIn(service), ['left-3'], 'of a worker that there is no more, and of no other')
  await service.close()
  const alone = await startTestService(t, { DATA_DIR: dataDir })
  t.strictSame(await broughtIn(alone), ['left-2'])
})

t.test('what a worker leaves that goes after the new ones have come is brought in then', async t => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'workers-test-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const leaving = await keepCallback(dataDir, 3)
  const service = await startTestService(t, { DATA_DIR: dataDir, WORKERS: '2' })
  t.equal(await metric(service.url, 'thingspace_spool_depth '), 0)
  leaving.close()
  t.equal(
    await until(
      () => metric(service.url, 'thingspace_spool_drained_total '),
      drained => drained === 1,
    ),
    1,
  )
  t.strictSame(await broughtIn(service), ['left-3'])
})

/** In the spool of that worker, which still has it. */
async function keepCallback(dataDir: string, number: number): Promise<Spool> {
  const folder = path.join(dataDir, `worker-${number}`)
  const spool = openSpool({ dataDir: folder, sealer: createSealer(Buffer.alloc(32, 7)), maxBytes: 1_000_000 })
  const bytes = Buffer.from(JSON.stringify(makeCallback({ requestId: `left-${number}`, ...device(number) })))
  const id = `00000000-0000-4000-8000-00000000000${number}`
  await spool.add({ id, accountName: account, serviceName: 'CarrierService', bytes })
  return spool
}

/** The requests whose callbacks came from the disk, once nothing lies there any more. */
async function broughtIn({ url, sql }: TestService): Promise<string[]> {
  const depth = await until(
    () => metric(url, 'thingspace_spool_depth '),
    depth => depth === 0,
  )
  const rows = await sql('select request_id from activations order by 1')
  return depth === 0 ? rows.map(({ request_id }) => request_id) : [`${depth} are left`]
}
