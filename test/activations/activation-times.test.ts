import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { activationTag } from '../../src/activations/activation-routes.ts'
import { createActivationTimes } from '../../src/activations/activation-times.ts'
import { activationView } from '../../src/activations/activation-view.ts'
import { type FoundActivation, findActivation } from '../../src/activations/find-activation.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { watchQueries } from '../fixtures/count-buffers.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { rowsRead } from '../fixtures/rows-read.ts'
import { startTestService, takeTestService } from '../fixtures/service.ts'

const requestId = 'shown'

t.test('how long targets waited is worked out anew only where one has heard for the first time', async t => {
  const service = await startTestService(t)
  await service.record(requestId, [device(1), device(2), device(3), device(4)])
  await service.record('another', [device(5)])
  const hear = async (n: number, ms: number) => {
    await service.callback(makeCallback({ requestId, ...device(n) }))
    const waited = `submitted_at + ${ms} * interval '1 millisecond' from activations a`
    await service.sql(`update targets t set first_result_at = ${waited} where a.id = activation_id and t.iccid = $1`, [
      device(n).iccid,
    ])
  }
  for (const [n, ms] of [
    [1, 900],
    [2, 100],
    [3, 500],
  ] as const)
    await hear(n, ms)

  const times = createActivationTimes()
  const db = openTestDatabase(t, service.databaseUrl, { connections: 1 })
  const show = () =>
    db.transaction().execute(async trx => {
      const found = await trx.selectFrom('activations').selectAll().orderBy('id').execute()
      const before = await rowsRead(trx)
      const all = await times.all(trx, found as unknown as FoundActivation[])
      return { times: all.map(row => activationView(row).timeToCallbackMs), read: (await rowsRead(trx)) - before }
    })
  const unheard = { p50: null, p95: null, max: null }
  t.strictSame((await show()).times, [{ p50: 500, p95: 900, max: 900 }, unheard])
  t.strictSame(await show(), { times: [{ p50: 500, p95: 900, max: 900 }, unheard], read: 0 }, 'kept')
  await hear(4, 2_000)
  const again = await show()
  t.strictSame(again.times, [{ p50: 500, p95: 2_000, max: 2_000 }, unheard])
  t.ok(again.read > 0 && again.read < 10)
})

t.test('one that changes while it is looked at is shown as of one moment, and no tag is of two answers', async t => {
  const service = await takeTestService(t)
  const db = openTestDatabase(t, service.databaseUrl, { connections: 1 })
  await service.record(requestId, [device(1), device(2)])
  const found = (await findActivation(db, requestId, '*')) as FoundActivation
  const before = (await service.get(`/v1/activations/${requestId}`)).headers.get('etag')
  await service.callback(makeCallback({ requestId, ...device(1) }))
  const after = await service.get(`/v1/activations/${requestId}`)

  const one = await createActivationTimes().one(db, found)
  t.strictSame([activationTag(one), activationView(one)], [after.headers.get('etag'), after.body])
  const [listed] = await createActivationTimes().all(db, [found])
  if (listed === undefined) return t.fail('it is listed')
  t.match(activationView(listed), { status: 'pending', timeToCallbackMs: after.body.timeToCallbackMs })
  t.notOk([before, after.headers.get('etag')].includes(activationTag(listed)))
})

t.test('a report that came earlier than those that are known makes a new version of what is shown', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1)])
  const say = (state: string) => service.callback(makeCallback({ requestId, ...device(1), state }))
  const quarantined = (await say('PENDING')).body.callbackId
  // Times are kept to the millisecond; within one of them neither came earlier.
  await sleep(2)
  await say('ACTIVE')
  const version = async () => (await service.sql('select version from activations'))[0].version
  const before = await version()
  // As if the first one had not been understood until now.
  await service.sql('update targets set first_result_at = (select max(received_at) from callbacks)')
  await service.sql("update callbacks set verdict = 'quarantined' where id = $1", [quarantined])
  await service.sql('delete from results where source_id = $1', [quarantined])
  t.match(await service.call('POST', `/v1/callbacks/${quarantined}/reprocess`), { status: 200 })
  t.ok((await version()) > before)
})

t.test('no statement goes through the targets of very many, and a page that fails needs not begin anew', async t => {
  const { db, cost } = watchQueries(t, await createTestDatabase(t))
  await sql`
    insert into activations (account_name, request_id, recorded_at, submitted_at, targets, pending)
    select '0000123456-00001', 'bulk-' || n, now(), now(), 10000, 10000 from generate_series(1, 12) n`.execute(db)
  const found = (await db.selectFrom('activations').selectAll().orderBy('id').execute()) as unknown as FoundActivation[]
  const times = createActivationTimes()
  t.match(await cost(db => times.all(db, found.slice(0, 7))), { queries: 2 }, '50,000 targets each')
  t.match(await cost(db => times.all(db, found)), { queries: 1 }, 'what is known is not asked for again')
  t.match(await cost(db => createActivationTimes().all(db, found)), { queries: 3 })
  t.match(await cost(db => times.all(db, found)), { queries: 0 })
})
