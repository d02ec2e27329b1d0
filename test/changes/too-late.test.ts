import { Migrator } from 'kysely/migration'
import t, { type Test } from 'tap'
import { migrationFiles } from '../../src/database/migrate.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startTestService, type TestService } from '../fixtures/service.ts'

const keep = { KEEP_HISTORY: 'forever' }
const tooLate = { status: 410, body: { errorCode: '410', errorMessage: /query parameter: after .* deleted/ } }

async function changes(service: TestService, query = ''): Promise<string[]> {
  const { items } = (await service.get(`/v1/changes?limit=1000${query}`)).body
  return items.map((item: { cursor: string }) => item.cursor)
}

/** One that has read nothing yet: what it knows of the feed is what the database has. */
function replica(t: Test, { databaseUrl }: TestService): Promise<TestService> {
  return startTestService(t, { ...keep, DATABASE_URL: databaseUrl })
}

function say(service: TestService, n: number, state = 'ACTIVE') {
  return service.callback(makeCallback({ requestId: `request-${n}`, ...device(n), state }))
}

t.test('a cursor from before changes that were deleted is refused, and one from behind them goes on', async t => {
  const service = await startTestService(t, keep)
  for (const n of [1, 2, 3, 4, 5]) await say(service, n)
  const [one, two, three, four, five] = await changes(service)
  await service.sql('delete from changes where id = 3')

  const other = await replica(t, service)
  for (const cursor of [one, two]) {
    t.match(await other.get(`/v1/changes?after=${cursor}`), tooLate)
    t.match(await other.get('/v1/changes/stream', { 'last-event-id': cursor ?? '' }), tooLate, 'a stream as well')
  }
  t.strictSame(await changes(other, `&after=${three}`), [four, five])
  t.strictSame(await changes(other, `&after=${four}`), [five])
  t.strictSame(await changes(other, `&after=${five}`), [])
  t.strictSame(await changes(service, `&after=${one}`), [two, three, four, five], 'who has them in memory tells them')
})

t.test('who begins at the beginning reads what is left, also while more of it is deleted', async t => {
  const service = await startTestService(t, keep)
  for (let n = 1; n <= 8; n += 1) await say(service, n)
  await service.sql('delete from changes where id in (2, 5)')
  const other = await replica(t, service)
  const seen: string[] = []
  let after = ''
  for (let asked = 0; asked < 7; asked += 1) {
    const { status, body } = await other.get(`/v1/changes?limit=1${after}`)
    t.equal(status, 200)
    seen.push(...body.items.map((item: { requestId: string }) => item.requestId))
    after = `&after=${asked % 2 === 0 ? body.cursor : (body.items[0]?.cursor ?? body.cursor)}`
    if (asked === 1) await service.sql('delete from changes where id = 6')
  }
  t.strictSame(
    seen,
    [1, 3, 4, 7, 8].map(n => `request-${n}`),
  )
  await service.sql('delete from changes where id = 8')
  t.match(await other.get(`/v1/changes?limit=1${after}`), { status: 200 }, 'it has seen that one')
})

t.test('what went before anybody looked is no more passed over than the rest', async t => {
  const service = await startTestService(t, keep)
  const other = await replica(t, service)
  await say(service, 1)
  const { cursor } = (await service.get('/v1/changes?after=now')).body
  for (const n of [2, 3]) await say(other, n)
  await service.sql('delete from changes where id = 2')
  t.match(await service.get(`/v1/changes?after=${cursor}`), tooLate)
  const again = (await service.get('/v1/changes')).body
  t.match(again.items, [{ requestId: 'request-1' }, { requestId: 'request-3' }])
  await say(service, 4)
  t.match((await service.get(`/v1/changes?after=${again.cursor}`)).body.items, [{ requestId: 'request-4' }])
})

t.test('a feed whose end was deleted ends where it did', async t => {
  const service = await startTestService(t, keep)
  for (const n of [1, 2, 3]) await say(service, n)
  const [one, two, three] = await changes(service)
  await service.sql('delete from changes where id >= 2')
  const other = await replica(t, service)
  for (const cursor of [one, two]) t.match(await other.get(`/v1/changes?after=${cursor}`), tooLate)
  const { cursor } = (await other.get('/v1/changes?after=now')).body
  t.equal(cursor, three)
  const all = (await other.get('/v1/changes')).body
  t.match([all.items.length, all.cursor], [1, three])
  await say(other, 4)
  t.match((await other.get(`/v1/changes?after=${cursor}`)).body.items, [{ requestId: 'request-4' }])
})

t.test('when an older state of the database is restored, who has read further is told, and misses nothing', async t => {
  const service = await startTestService(t, keep)
  for (const n of [1, 2, 3]) await say(service, n)
  const [one, two, three] = await changes(service)
  const waiting = service.get(`/v1/changes?after=${three}&wait=60`)
  await service.sql(`
    delete from changes where id >= 2;
    delete from retention;
    alter table changes alter id restart with 2`)
  const other = await replica(t, service)
  const gone = { status: 410, body: { errorMessage: /query parameter: after .* restored/ } }
  t.match(await waiting, gone, 'also who was waiting')
  for (const each of [service, other]) {
    for (const cursor of [two, three]) t.match(await each.get(`/v1/changes?after=${cursor}`), gone)
    t.match(await each.get('/v1/changes/stream', { 'last-event-id': three ?? '' }), gone)
  }
  await say(other, 4)
  for (const each of [service, other]) {
    t.match((await each.get(`/v1/changes?after=${one}`)).body.items, [{ requestId: 'request-4' }])
  }
})

t.test('a role of readers that was made before this is told as well', async t => {
  const service = await startTestService(t, keep)
  const db = openTestDatabase(t, service.databaseUrl)
  const migrator = new Migrator({ db, provider: migrationFiles })
  await migrator.migrateTo('0009-targets-by-iccid')
  await migrator.migrateToLatest()
  await say(service, 1)
  const other = await replica(t, service)
  t.match(await other.get('/v1/changes'), { status: 200, body: { items: [{ requestId: 'request-1' }] } })
})
