import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import pg from 'pg'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { openJobStore } from '../../src/database/job-store.ts'
import { describeError } from '../../src/log.ts'
import { createJobs } from '../../src/operating/jobs.ts'
import { until } from '../fixtures/carrier.ts'
import { connection } from '../fixtures/connection.ts'
import { createEmptyDatabase, createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService, type TestService } from '../fixtures/service.ts'

/** Milliseconds until a row of the inbox is taken, which only background work does. */
async function inboxTakes({ sql }: Pick<TestService, 'sql'>, requestId: string): Promise<number> {
  const started = Date.now()
  await sql('insert into outgoing_activations (request_id, account_name, devices) values ($1, $2, $3)', [
    requestId,
    account,
    JSON.stringify([{ deviceIds: [{ kind: 'iccid', id: device(1).iccid }] }]),
  ])
  await until(
    () => sql('select taken_at from outgoing_activations where request_id = $1 and taken_at is not null', [requestId]),
    rows => rows.length > 0,
    20_000,
  )
  return Date.now() - started
}

t.test('background work goes on after its connections were ended, ten times in a row', async t => {
  const service = await startTestService(t)
  await inboxTakes(service, 'before-it')
  for (let n = 0; n < 10; n += 1) {
    await service.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'thingspace background' and datname = current_database()",
    )
    await new Promise(resolve => setTimeout(resolve, 150))
  }
  t.comment(`within ${await inboxTakes(service, 'after-it')} ms`)
})

t.test('background work goes on when the database comes back, and when a link goes dead', async t => {
  const direct = await createEmptyDatabase(t)
  const link = await startLink(t, new URL(direct))
  await startTestService(t, { DATABASE_URL: link.url })
  const pool = new pg.Pool({ connectionString: direct, max: 1 })
  t.teardown(() => pool.end())
  const database = { sql: async (text: string, values?: unknown[]) => (await pool.query(text, values)).rows }
  await inboxTakes(database, 'before-it')

  link.refuse(true)
  await new Promise(resolve => setTimeout(resolve, 4_000))
  link.refuse(false)
  t.comment(`within ${await inboxTakes(database, 'came-back')} ms`)

  link.freeze()
  t.comment(`within ${await inboxTakes(database, 'went-dead')} ms of the moment the link went dead`)
  link.refuse(true)
})

t.test('background work that is held up holds up no callback', async t => {
  const service = await startTestService(t)
  await inboxTakes(service, 'before-it')
  const holder = new pg.Client({ connectionString: service.databaseUrl })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  await holder.query('lock table outgoing_activations, polls, submissions in access exclusive mode')
  const heldUp = await until(
    () =>
      service.sql(
        "select from pg_stat_activity where application_name = 'thingspace background' and wait_event_type = 'Lock' and datname = current_database()",
      ),
    rows => rows.length > 0,
  )
  t.ok(heldUp.length > 0, 'it waits for a lock')
  for (let round = 0; round < 5; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        service.callback(makeCallback({ requestId: `held-${round}`, ...device(n + 1) })),
      ),
    )
    t.ok(
      answers.every(({ status }) => status === 200),
      `${answers.map(({ status }) => status)}`,
    )
  }
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { status: 200 })
  await holder.query('rollback')
})

t.test('work whose next run was lost with its process is queued again by any replica', async t => {
  const url = await createTestDatabase(t)
  const store = openJobStore(connection(url))
  let runs = 0
  let release = () => {}
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  const run = async () => {
    runs += 1
    await released
  }
  const jobs = createJobs({
    store,
    jobs: [{ name: 'again', everySeconds: 1, run }],
    migrate: true,
    log: pino({ level: 'silent' }),
    onFailure: () => undefined,
    onRun: () => undefined,
    queueAllEveryMs: 200,
  })
  t.teardown(async () => {
    release()
    await jobs.stop()
    await store.db.destroy()
  })
  await jobs.start()
  await until(
    () => runs,
    count => count === 1,
  )
  // As if its process had died before it had queued the next one: nothing waits any more.
  await store.executeSql("delete from jobs.job where name = 'again' and state = 'created'")
  await until(
    () => store.executeSql("select from jobs.job where name = 'again' and state = 'created'"),
    ({ rows }) => rows.length === 1,
  )
  release()
  await until(
    () => runs,
    count => count > 1,
  )
})

t.test('while the database is away the job queue says why once, and again the next time', async t => {
  const link = await startLink(t, new URL(await createTestDatabase(t)))
  const store = openJobStore(connection(link.url))
  const said: string[] = []
  const write = (line: string) => void said.push(JSON.parse(line).err.code)
  const jobs = createJobs({
    store,
    jobs: ['one', 'two', 'three'].map(name => ({ name, everySeconds: 1, run: async () => undefined })),
    migrate: true,
    log: pino({ base: null, serializers: { err: describeError } }, { write }),
    onFailure: () => undefined,
    onRun: () => undefined,
  })
  t.teardown(async () => {
    await jobs.stop()
    await store.db.destroy()
  })
  await jobs.start()
  for (const time of ['first', 'second']) {
    said.length = 0
    link.refuse(true)
    await until(
      () => said.length,
      lines => lines > 0,
    )
    // Each of the three polls several times.
    await new Promise(resolve => setTimeout(resolve, 3_000))
    t.ok(said.length > 0, `it says so the ${time} time`)
    t.equal(said.length, new Set(said).size, `each reason once: ${said}`)
    link.refuse(false)
    await until(
      () => store.executeSql('select 1').catch(() => null),
      answer => answer !== null,
    )
  }
})

interface Link {
  url: string
  /** Ends every connection, and takes none. */
  refuse(refuses: boolean): void
  /** From now on nothing passes on the connections there are, and nobody is told. */
  freeze(): void
}

async function startLink(t: Test, target: URL): Promise<Link> {
  const open = new Set<[Socket, Socket]>()
  let refuses = false
  const server = createServer(near => {
    if (refuses) return void near.destroy()
    const far = connect(Number(target.port), target.hostname)
    open.add([near, far])
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      socket.on('error', () => undefined)
      socket.on('close', () => [near, far].map(end => end.destroy()))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const [near, far] of open) [near, far].map(socket => socket.destroy())
    server.close()
  })
  const url = new URL(target)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    refuse(now) {
      refuses = now
      if (now) for (const [near] of open) near.destroy()
    },
    freeze() {
      for (const [near, far] of open) {
        near.unpipe(far)
        far.unpipe(near)
        near.pause()
        far.pause()
      }
    },
  }
}
