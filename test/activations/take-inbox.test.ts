import pg from 'pg'
import t from 'tap'
import { until } from '../fixtures/carrier.ts'
import { device } from '../fixtures/make-callback.ts'
import { account, startTestService, type TestService, takeTestService } from '../fixtures/service.ts'

const devices = JSON.stringify([{ deviceIds: [{ kind: 'iccid', id: device(1).iccid }] }])

async function insert(service: TestService, requestId: string, more: { [column: string]: string } = {}): Promise<void> {
  const row = { request_id: requestId, account_name: account, devices, ...more }
  const places = Object.keys(row).map((_, at) => `$${at + 1}`)
  const statement = `insert into outgoing_activations (${Object.keys(row)}) values (${places})`
  await service.sql(statement, Object.values(row))
}

/** Of each row, once this one has been looked at. */
async function problemsOnceTaken(service: TestService, requestId: string): Promise<{ [requestId: string]: string }> {
  await until(
    () => service.sql('select from outgoing_activations where request_id = $1 and taken_at is not null', [requestId]),
    rows => rows.length > 0,
  )
  const rows = await service.sql('select request_id, problem from outgoing_activations where taken_at is not null')
  return Object.fromEntries(rows.map(({ request_id, problem }) => [request_id, problem]))
}

t.test('an operation of any name is recorded, also of one that every object has', async t => {
  const service = await takeTestService(t)
  for (const [at, operation] of ['constructor', '__proto__'].entries()) {
    const answer = await service.record(`by-api-${at}`, [device(1)], { operation })
    t.match(answer, { status: 201, body: { operation } })
    const { submittedAt, expectedBy } = answer.body
    t.equal(Date.parse(expectedBy) - Date.parse(submittedAt), 15 * 60_000)
    await insert(service, `by-sql-${at}`, { operation })
  }
  t.strictSame(await problemsOnceTaken(service, 'by-sql-1'), { 'by-sql-0': null, 'by-sql-1': null })
})

t.test('a time that can not be shown is refused by the API', async t => {
  const service = await takeTestService(t)
  for (const submittedAt of ['2016-12-31T23:59:60Z', '9999-12-31T23:59:59-12:00', '1969-12-31T23:59:59Z']) {
    const answer = await service.record('no-time', [device(1)], { submittedAt })
    t.match({ submittedAt, ...answer }, { status: 400, body: { errorMessage: /submittedAt must be a time from 1970/ } })
  }
  t.match(await service.record('last-time', [device(1)], { submittedAt: '9998-12-31T23:59:59.999Z' }), {
    status: 201,
    body: { submittedAt: '9998-12-31T23:59:59.999Z', expectedBy: '9999-01-01T00:14:59.999Z' },
  })
})

t.test('a row with a time that can not be shown is kept with its problem, and the next ones are taken', async t => {
  const service = await takeTestService(t)
  const times = ['infinity', '-infinity', '20000-01-01', '294276-12-31', '0044-03-15 BC']
  for (const [at, submitted_at] of times.entries()) await insert(service, `no-time-${at}`, { submitted_at })
  await insert(service, 'inserted-at-no-time', { inserted_at: 'infinity' })
  await insert(service, 'next-one')
  const { 'next-one': next, 'inserted-at-no-time': inserted, ...bad } = await problemsOnceTaken(service, 'next-one')
  t.equal(next, null)
  t.match(inserted, /can not be recorded/)
  t.equal(Object.keys(bad).length, times.length)
  for (const [requestId, problem] of Object.entries(bad)) t.match(problem, /submitted_at must be a time/, requestId)
  t.match(await service.get('/v1/activations/next-one'), { status: 200 })
})

t.test('a row that the database refuses is kept with its problem, and the next one is taken', async t => {
  const service = await startTestService(t)
  await service.sql(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$;
    create trigger refuse before insert on activations for each row when (new.request_id = 'not-this-one')
      execute function refuse()`)
  await insert(service, 'not-this-one')
  await insert(service, 'next-one')
  t.match(await problemsOnceTaken(service, 'next-one'), { 'not-this-one': /not this one/, 'next-one': null })
})

t.test('a row whose activation somebody holds waits, and the next one does not', async t => {
  const service = await startTestService(t)
  await service.callback({ requestId: 'held-by-one', deviceIds: [], status: 'SUCCESS' })
  const holder = new pg.Client({ connectionString: service.databaseUrl })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  const held = await holder.query("select from activations where request_id = 'held-by-one' for update")
  t.equal(held.rowCount, 1)
  await insert(service, 'held-by-one')
  await insert(service, 'next-one')
  t.strictSame(await problemsOnceTaken(service, 'next-one'), { 'next-one': null })
  await holder.query('rollback')
  t.match(await problemsOnceTaken(service, 'held-by-one'), { 'held-by-one': null })
})
