import t from 'tap'
import { openDatabase } from '../../src/database/pool.ts'
import { deleteOld } from '../../src/retention/delete-old.ts'
import { holdRows } from '../fixtures/hold-rows.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startTestService, type TestService, takeTestService } from '../fixtures/service.ts'

const day = 86_400_000
const forever = { callbacks: null, history: null }
/** Its own job, which runs soon after the start, deletes nothing: what goes is what the test deletes. */
const byHand = { KEEP_CALLBACKS: 'forever', KEEP_HISTORY: 'forever' }

t.test('callbacks go when they are old, but not the one that holds the login of a profile', async t => {
  const service = await takeTestService(t, byHand)
  const say = (more: object) => service.callback(makeCallback({ requestId: 'known', ...device(1), ...more }))
  await service.record('known', [device(1)])
  await say({ state: 'PENDING' })
  await say({ state: 'SUSPEND' })
  const last = (await say({ state: 'ACTIVE' })).body.callbackId
  await service.callback({ requestId: 'of-another-kind', note: 1 })
  await age(service, 'callbacks', 'received_at', 500)
  const young = (await service.callback({ requestId: 'of-another-kind', note: 2 })).body.callbackId

  const before = await service.get(`/v1/profiles/${device(1).iccid}`)
  t.equal(await run(service, { ...forever, callbacks: 400 * day }), 3)
  const { items } = (await service.get('/v1/callbacks')).body
  t.strictSame(items.map((item: { callbackId: string }) => item.callbackId).sort(), [last, young].sort())
  t.strictSame((await service.get(`/v1/profiles/${device(1).iccid}`)).body, before.body, 'what is true stays so')
  t.match(await service.get(`/v1/profiles/${device(1).iccid}/credential`), { status: 200 })
  t.equal(await run(service, { ...forever, callbacks: 400 * day }), 0)
})

t.test('one whose login was replaced goes when the deleting begins anew', async t => {
  const service = await takeTestService(t, byHand)
  await service.callback(makeCallback({ requestId: 'one', ...device(1) }))
  await age(service, 'callbacks', 'received_at', 500)
  t.equal(await run(service, { ...forever, callbacks: 400 * day }), 0)
  await service.callback(makeCallback({ requestId: 'two', ...device(1), secret: 'another' }))
  t.equal(await run(service, { ...forever, callbacks: 400 * day }), 0)
  await service.sql("update retention set began_at = began_at - interval '8 days'")
  t.equal(await run(service, { ...forever, callbacks: 400 * day }), 1)
})

t.test('what is young and stands before what is old holds up nothing', async t => {
  const service = await takeTestService(t, byHand)
  const young = (await service.callback({ requestId: 'of-another-kind', note: 1 })).body.callbackId
  for (const note of [2, 3]) await service.callback({ requestId: 'of-another-kind', note })
  await service.sql(`update callbacks set received_at = received_at - interval '500 days' where id <> $1`, [young])
  t.equal(await run(service, { ...forever, callbacks: 400 * day }), 2)
  t.match(await service.get('/v1/callbacks'), { body: { items: [{ callbackId: young }] } })
})

t.test('the history goes when it is old, but any time since then can be asked for', async t => {
  const service = await takeTestService(t, byHand)
  const say = (state: string) => service.callback(makeCallback({ requestId: 'known', ...device(1), state }))
  for (const state of ['PENDING', 'SUSPEND', 'ACTIVE']) await say(state)
  const [first, , last] = (await service.get('/v1/changes')).body.items
  await age(service, 'changes', 'at', 500)
  await say('DEACTIVE')
  t.equal(await run(service, { ...forever, history: 400 * day }), 2)
  const then = new Date(Date.now() - 300 * day).toISOString()
  t.match(await service.get(`/v1/profiles/${device(1).iccid}?asOf=${then}`), { status: 200, body: { state: 'ACTIVE' } })
  t.match((await service.get(`/v1/profiles/${device(1).iccid}/history`)).body.items, [
    { to: { state: 'DEACTIVE' } },
    { to: { state: 'ACTIVE' } },
  ])
  const other = await startTestService(t, { ...byHand, DATABASE_URL: service.databaseUrl })
  const after = ({ cursor }: { cursor: string }) => other.get(`/v1/changes?after=${cursor}`)
  t.match(await after(first), { status: 410 }, 'a reader of the feed is told')
  t.match((await after(last)).body.items, [{ to: { state: 'DEACTIVE' } }])
})

t.test('more than a batch goes in one run, and what somebody holds is left alone', async t => {
  const service = await takeTestService(t, byHand)
  await service.callback({ requestId: 'held', note: 1 })
  await service.sql(`
    insert into callbacks (id, account_name, service_name, fingerprint, verdict, received_at, last_seen_at, body)
    select gen_random_uuid(), 'a', 's', gen_random_uuid(), 'other', now() - interval '500 days', now(), '{}'
    from generate_series(1, 1200)`)
  await age(service, 'callbacks', 'received_at', 500)
  const [{ count }] = await service.sql('select count(*)::int from callbacks')
  t.equal(count, 1_201)
  const letGo = await holdRows(t, service.databaseUrl, 'callbacks', "account_name <> 'a'")
  t.equal(await run(service, { ...forever, callbacks: 400 * day }), 1_200)
  await letGo()
})

t.test('the service does it by itself', async t => {
  const service = await startTestService(t, byHand)
  await service.callback({ requestId: 'old', note: 1 })
  await age(service, 'callbacks', 'received_at', 500)
  // Of two, the one that keeps everything might take the job.
  await service.close()
  const next = await startTestService(t, { DATABASE_URL: service.databaseUrl })
  await next.sql("update jobs.job set start_after = now() where name = 'retention'")
  for (let tries = 1; tries < 400; tries += 1) {
    if ((await next.get('/v1/callbacks')).body.items.length === 0) return t.pass()
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  t.fail('it is still there')
})

async function age(service: TestService, table: string, column: string, days: number): Promise<void> {
  await service.sql(`update ${table} set ${column} = ${column} - interval '${days} days'`)
}

async function run(service: TestService, keep: Parameters<typeof deleteOld>[1]) {
  const db = openDatabase({
    url: service.databaseUrl,
    name: 'test',
    connections: 1,
    statementTimeoutMs: 10_000,
    lockTimeoutMs: 500,
    connectionTimeoutMs: 5_000,
    onConnectionError: () => undefined,
  })
  try {
    return await deleteOld(db, keep, () => false)
  } finally {
    await db.destroy()
  }
}
