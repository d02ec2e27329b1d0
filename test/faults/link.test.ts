import { randomBytes } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { account } from '../fixtures/account.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { checkLedger } from './check-ledger.ts'
import { startLink } from './link.ts'
import { request, type Sent, startLoad, untilTaken } from './load.ts'
import { isAlive, listener, startInEarnest } from './stage.ts'

const workers = 12

t.test('whatever becomes of its connections, the same process goes on by itself', async parent => {
  const databaseUrl = await createEmptyDatabase(parent)
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 3 })
  parent.teardown(() => pool.end())
  const sql = async (text: string, values?: unknown[]) => (await pool.query(text, values)).rows
  const role = await createRole(databaseUrl, sql)
  const link = await startLink(Object.assign(new URL(databaseUrl), { username: role, password: role }).href)
  parent.teardown(() => link.stop())
  link.close()
  const listening = Promise.withResolvers<string>()
  const starting = startInEarnest(parent, link.url, {}, listening.resolve)
  const started = await Promise.race([listening.promise, starting.then(({ url }) => url)])

  await parent.test('without a database at its start it is alive, and ready as soon as there is one', async t => {
    t.match(await until(`${started}/health/live`, 200), { status: 200 })
    t.match(await request('GET', `${started}/health/ready`), { status: 503 })
    const callback = makeCallback({ requestId: 'too-early', ...device(999_999), ...listener })
    const refused = await request('POST', `${started}/callbacks/${account}/CarrierService`, callback)
    t.match(refused, { status: 503, headers: { 'retry-after': '1' } })
    link.restore()
    await starting
    t.match(await until(`${started}/health/ready`, 200), { status: 200 })
  })

  const server = await starting
  const servers = [server]
  const urls = () => [server.url]
  const ledger: Sent[] = []
  const load = () => startLoad({ urls, workers, ledger })
  const running = load()
  await running.reaches(50)

  await parent.test('half-open connections, of which it hears nothing, are given up', async t => {
    link.freezeOpen()
    await untilTaken({ urls }, ledger)
    t.match(await until(`${server.url}/health/ready`, 200), { status: 200 }, 'ready')
    const known = `${server.url}/v1/profiles/${device(0).iccid}`
    t.match(await until(known, 200), { status: 200 }, 'and answers queries')
  })

  await parent.test('half-open connections that idle are found out as well', async t => {
    await running.stop()
    link.freezeOpen()
    await untilTaken({ urls }, ledger)
    t.match(await until(`${server.url}/v1/profiles/${device(0).iccid}`, 200), { status: 200 })
  })

  await parent.test('a link that is broken off, and stays away, is told early and used again at once', async t => {
    const running = load()
    link.close()
    const refused = await until(`${server.url}/health/ready`, 503)
    t.match(refused, { body: { errorMessage: /database can't be reached/ } })
    t.match(await request('GET', `${server.url}/v1/profiles/${device(0).iccid}`), {
      status: 503,
      headers: { 'retry-after': '1' },
    })
    link.restore()
    await untilTaken({ urls }, ledger)
    await running.stop()
  })

  await parent.test('a connection cut after COMMIT, whose answer never came, doubles nothing', async t => {
    const running = load()
    link.cutAfterCommits(15)
    while (link.commitsCut() < 15) await untilTaken({ urls }, ledger)
    await running.stop()
    t.match(await checkLedger(sql, servers, ledger), { lost: 0, doubled: 0 })
  })

  await parent.test('backends killed while they idle, work or wait within a transaction end no process', async t => {
    const running = load()
    for (let killed = 0; killed < 60; ) {
      // Those that are in a transaction, where a driver's own listener is not on its client; else any.
      const [row] = await sql(
        `select count(pg_terminate_backend(pid))::int as killed from pg_stat_activity
         where usename = $1 and (state like 'idle in%' or random() < 0.1)`,
        [role],
      )
      killed += row.killed
    }
    await untilTaken({ urls }, ledger)
    await running.stop()
    t.ok(isAlive(server))
  })

  await parent.test('a server without connections to give is asked again until it has some', async t => {
    const running = load()
    await sql(`alter role ${role} connection limit 1`)
    await sql('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [role])
    await until(`${server.url}/health/ready`, 503)
    await sql(`alter role ${role} connection limit -1`)
    await untilTaken({ urls }, ledger)
    t.match(await until(`${server.url}/health/ready`, 200), { status: 200 })
    await running.stop()
  })

  await parent.test('queries that wait for a lock leave receiving alone', async t => {
    const holder = await pool.connect()
    await holder.query('begin')
    await holder.query("select * from activations where request_id = 'fault-0' for update")
    const device0 = Object.entries(device(0)).map(([kind, id]) => ({ kind, id }))
    const body = { accountName: account, devices: [{ deviceIds: device0 }] }
    const waiting = Array.from({ length: 30 }, () => request('PUT', `${server.url}/v1/activations/fault-0`, body))
    for (let n = 0; n < 20; n += 1) await untilTaken({ urls }, ledger)
    await holder.query('rollback')
    holder.release()
    for (const answer of await Promise.all(waiting)) t.ok(answer !== null, 'each is answered')
  })

  t.ok(isAlive(server), 'the same process')
  const checked = await checkLedger(sql, servers, ledger)
  t.match(checked, { lost: 0, doubled: 0 })
  const { body } = (await request('GET', `${server.url}/metrics`)) ?? {}
  t.match(
    body,
    /^thingspace_callback_transaction_retries_total\{refusal="unavailable"\} [1-9]/m,
    'they met transactions',
  )
})

/** Asks until it is answered with this status. */
async function until(url: string, status: number) {
  for (let tries = 1; ; tries += 1) {
    const answer = await request('GET', url)
    if (answer?.status === status || tries === 1_200) return answer
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** A role whose connections can be counted and limited apart from those of other tests. */
async function createRole(databaseUrl: string, sql: (text: string) => Promise<unknown>): Promise<string> {
  const role = `fault_${randomBytes(6).toString('hex')}`
  await sql(`create role ${role} login password '${role}'`)
  await sql(`alter database ${new URL(databaseUrl).pathname.slice(1)} owner to ${role}`)
  return role
}
