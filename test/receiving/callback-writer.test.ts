import { once } from 'node:events'
import net from 'node:net'
import pg from 'pg'
import t, { type Test } from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService, type TestService, takeTestService } from '../fixtures/service.ts'

t.test('one callback that the database refuses does not fail its neighbours', async t => {
  const service = await takeTestService(t)
  const refused = device(13).iccid
  await service.sql(`alter table profiles add constraint refuse_one check (iccid <> '${refused}')`)
  t.teardown(() => service.sql('alter table profiles drop constraint refuse_one'))
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, n) => service.callback(makeCallback({ requestId: `neighbour-${n}`, ...device(n) }))),
  )
  answers.forEach(({ status, body }, n) => {
    t.match({ n, status, body }, { n, status: 200, body: { verdict: n === 13 ? 'quarantined' : 'unmatched' } })
  })
  t.match(await service.sql("select reason, body, sealed from callbacks where verdict = 'quarantined'"), [
    { reason: 'could be read but not applied (23514)', body: null, sealed: Buffer },
  ])
  t.match(await service.sql('select count(*)::int as profiles from profiles'), [{ profiles: 59 }])
})

t.test('one callback that always makes the server fail does not fail its neighbours', async t => {
  const service = await takeTestService(t)
  await service.sql(`
    create function fail_one() returns trigger language plpgsql as
      $$ begin raise exception 'as if damaged' using errcode = 'XX000'; end $$`)
  t.teardown(() => service.sql('drop function fail_one cascade'))
  await service.sql(`
    create trigger fail_one before insert on profiles for each row
    when (new.iccid = '${device(13).iccid}') execute function fail_one()`)
  const post = (n: number) => service.callback(makeCallback({ requestId: `neighbour-${n}`, ...device(n) }))
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => post(n)))
  answers.forEach(({ status }, n) => {
    t.match({ n, status }, { n, status: 200 })
  })
  t.strictSame(await service.sql('select verdict, count(*)::int as callbacks from callbacks group by 1 order by 1'), [
    { verdict: 'quarantined', callbacks: 1 },
    { verdict: 'unmatched', callbacks: 59 },
  ])
  t.strictSame(await service.sql("select reason from callbacks where verdict = 'quarantined'"), [
    { reason: 'could be read but not applied (XX000)' },
  ])

  await service.sql(`
    create trigger fail_one before insert on callbacks for each row
    when (new.account_name = '0000999999-00009') execute function fail_one()`)
  const other = () =>
    service.callback(makeCallback({ requestId: 'other' }), { account: '0000999999-00009', once: true })
  const [refused, ...stored] = await Promise.all([other(), ...Array.from({ length: 20 }, (_, n) => post(n + 100))])
  t.match(refused, { status: 503 }, 'not even its bytes can be kept')
  t.strictSame([...new Set(stored.map(({ status }) => status))], [200])
})

t.test('a fault of the server that passes harms no callback', async t => {
  const service = await takeTestService(t)
  await service.sql('create table ill ()')
  await service.sql(`
    create function fail_while_ill() returns trigger language plpgsql as $$
    begin
      if exists (select from ill) then raise exception 'as if the disk failed' using errcode = '58030'; end if;
      return new;
    end $$`)
  await service.sql('create trigger ill before insert on callbacks execute function fail_while_ill()')
  t.teardown(() => service.sql('drop function fail_while_ill cascade; drop table ill'))
  for (const ms of [200, 300, 400]) {
    const requestId = `ill-for-${ms}`
    await service.record(requestId, [device(ms)])
    await service.sql('insert into ill default values')
    const answering = service.callback(makeCallback({ requestId, ...device(ms) }))
    await new Promise(resolve => setTimeout(resolve, ms))
    await service.sql('delete from ill')
    t.match(await answering, { status: 200, body: { verdict: 'applied' } }, `${ms} ms`)
  }
})

t.test('one callback that always breaks a key does not fail its neighbours', async t => {
  const service = await takeTestService(t)
  await service.sql(`
    create function break_key() returns trigger language plpgsql as
      $$ begin raise exception 'as if it were there' using errcode = 'unique_violation'; end $$`)
  await service.sql(`
    create trigger break_key before insert on profiles for each row
    when (new.iccid = '${device(13).iccid}') execute function break_key()`)
  t.teardown(() => service.sql('drop function break_key cascade'))
  const post = (n: number) => service.callback(makeCallback({ requestId: `neighbour-${n}`, ...device(n) }))
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => post(n)))
  answers.forEach(({ status, body }, n) => {
    t.match({ n, status, body }, { n, status: 200, body: { verdict: n === 13 ? 'quarantined' : 'unmatched' } })
  })
})

t.test('a row that somebody holds delays its own callbacks only', async t => {
  const service = await takeTestService(t)
  await service.callback(makeCallback({ requestId: 'first', ...device(0) }))
  const holder = new pg.Client({ connectionString: service.databaseUrl })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  await holder.query('select * from profiles for update')
  const held = service.callback(makeCallback({ requestId: 'held', ...device(0), state: 'SUSPEND' }), { once: true })
  const free = Array.from({ length: 30 }, (_, n) => makeCallback({ requestId: `free-${n}`, ...device(n + 1) }))
  const answers = await Promise.all(free.map(callback => service.callback(callback)))
  t.strictSame(
    answers.map(({ status }) => status),
    free.map(() => 200),
  )
  const answer = await held
  t.match(answer, { status: 503, body: { errorCode: '503' } })
  t.ok(answer.headers.get('retry-after'))
  await holder.query('rollback')
  const again = await service.callback(makeCallback({ requestId: 'held', ...device(0), state: 'SUSPEND' }))
  t.match(again, { status: 200 }, 'sent again, it is stored')
  t.match(
    await service.sql(
      "select count(*)::int as n from callbacks c join activations a on a.id = c.activation_id where a.request_id = 'held'",
    ),
    [{ n: 1 }],
  )
})

t.test('while the database is away callbacks get 503 with Retry-After, and 200 when it is back', async t => {
  const service = await startTestService(t)
  const [{ name }] = await service.sql('select current_database() as name')
  const admin = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL })
  await admin.connect()
  t.teardown(() => admin.end())
  await admin.query(`alter database ${name} allow_connections false`)
  await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
  const answer = await service.callback(makeCallback(), { once: true })
  t.match(answer, { status: 503, body: { errorCode: '503', errorMessage: /send it again/ } })
  t.equal(answer.headers.get('retry-after'), '1')
  t.match(await service.get('/health/ready'), { status: 503, body: { errorMessage: /database can't be reached/ } })
  t.match(await service.get('/health/live'), { status: 200 })
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { status: 503 })
  await admin.query(`alter database ${name} allow_connections true`)
  t.match(await service.callback(makeCallback()), { status: 200 })
  t.match(await service.get('/health/ready'), { status: 200 })
})

t.test('callbacks of one bulk activation that arrive together are all counted', async t => {
  const service = await takeTestService(t)
  const devices = Array.from({ length: 300 }, (_, n) => device(n))
  await service.record('bulk', devices)
  const answers = await Promise.all(devices.map(ids => service.callback(makeCallback({ requestId: 'bulk', ...ids }))))
  t.equal(answers.filter(({ status, body }) => status === 200 && body.verdict === 'applied').length, 300)
  t.match(await service.get('/v1/activations/bulk'), {
    body: { status: 'succeeded', counts: { targets: 300, pending: 0, succeeded: 300 } },
  })
  t.strictSame(
    await service.sql("select kind, count(*)::int from changes where kind <> 'activation' group by kind order by kind"),
    [
      { kind: 'profile', count: 300 },
      { kind: 'result', count: 300 },
    ],
  )
})

t.test('callbacks that the network brings at once share a transaction from the first one on', async t => {
  const service = await takeTestService(t)
  await postAtOnce(
    t,
    service,
    Array.from({ length: 20 }, (_, n) => makeCallback({ requestId: `at-once-${n}`, ...device(n) })),
  )
  t.strictSame(
    await service.sql(
      'select count(*)::int as callbacks, count(distinct xmin::text)::int as transactions from callbacks',
    ),
    [{ callbacks: 20, transactions: 1 }],
  )
})

t.test('one that names no request is not of the request that is called null', async t => {
  const service = await takeTestService(t)
  const nameless = { ...makeCallback(device(2)), requestId: null }
  await postAtOnce(t, service, [makeCallback({ requestId: 'null', ...device(1) }), nameless])
  t.match(await service.callback(nameless), { body: { verdict: 'repeated' } })
  t.strictSame(await service.sql('select verdict, activation_id is null as nameless from callbacks order by 1'), [
    { verdict: 'quarantined', nameless: true },
    { verdict: 'unmatched', nameless: false },
  ])
})

/** By one write to one connection; resolves when all are answered with 200. */
async function postAtOnce(t: Test, service: TestService, callbacks: object[]): Promise<void> {
  const { hostname, port, host } = new URL(service.url)
  const requests = callbacks.map(callback => {
    const body = JSON.stringify(callback)
    const head = `POST /callbacks/${account}/CarrierService HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${body.length}`
    return `${head}\r\n\r\n${body}`
  })
  const socket = net.connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  socket.write(requests.join(''))
  let answers = ''
  while (answers.split('HTTP/1.1 200 ').length <= callbacks.length) answers += (await once(socket, 'data'))[0]
}

t.test('callbacks of many devices each share a transaction with few others', async t => {
  const service = await takeTestService(t)
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, n) => {
      const { deviceResponse, ...message } = makeCallback({ requestId: `many-${n}` })
      const responses = Array.from({ length: 20 }, (_, of) => makeCallback(device(20 * n + of)).deviceResponse)
      return service.callback({ ...message, deviceIds: [], deviceResponse: responses })
    }),
  )
  t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
  const [{ all, most }] = await service.sql(`
    select sum(results)::int as all, max(results)::int as most
    from (select count(*) as results from results group by xmin) transactions`)
  t.equal(all, 800)
  t.ok(most >= 20 && most <= 256, `${most} results at most in one transaction`)
})
