import pg from 'pg'
import t from 'tap'
import { requestFor, startCarrier, startSendingService, until } from '../fixtures/carrier.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { makeSentOlder, makeUnclaimedOlder } from '../fixtures/make-older.ts'
import type { TestService } from '../fixtures/service.ts'

async function startUnknown(t: Parameters<typeof startCarrier>[0]) {
  const carrier = await startCarrier(t, { settings: { loseAnswer: 1, never: 1 } })
  const service = await startSendingService(t, carrier)
  const send = async (...numbers: number[]) =>
    (await service.call('POST', '/v1/activations', { body: requestFor(...numbers) })).body.requestId
  const settle = (name: string, requestId: string) =>
    service.call('POST', `/v1/activations/${name}/settle`, { body: { requestId } })
  return { service, send, settle }
}

const states = (service: TestService) => service.sql('select state, request_id from submissions order by intended_at')

t.test('a person can settle it only under a requestId that is no other activation', async t => {
  const { service, send, settle } = await startUnknown(t)
  const name = await send(1)
  await service.record('anothers-1', [device(2)])
  t.match(await settle(name, 'anothers-1'), { status: 409, body: { errorMessage: /another activation/ } })
  t.match(await settle(name, name), { status: 400, body: { errorMessage: /requestId must be ThingSpace's/ } })
  t.match(await service.get(`/v1/activations/${name}`), { body: { requestId: name, status: 'unknown' } })
  t.strictSame(await states(service), [{ state: 'unknown', request_id: null }])
})

t.test('two of the same request are not settled under one requestId', async t => {
  const { service, send, settle } = await startUnknown(t)
  const [one, other] = [await send(1), await send(1)]
  t.match(await settle(one, 'told-1'), { status: 200, body: { requestId: 'told-1' } })
  t.match(await settle(other, one), { status: 400 })
  t.match(await settle(other, 'told-1'), { status: 409 })
  t.strictSame(await states(service), [
    { state: 'accepted', request_id: 'told-1' },
    { state: 'unknown', request_id: null },
  ])
})

t.test('a person can settle it under a requestId that was recorded with the very request', async t => {
  const { service, send, settle } = await startUnknown(t)
  const name = await send(1)
  const { accountName, ...request } = requestFor(1)
  const recorded = await service.call('PUT', '/v1/activations/told-1', { body: { accountName, ...request } })
  t.equal(recorded.status, 201)
  t.match(await settle(name, 'told-1'), { status: 200, body: { requestId: 'told-1' } })
  await service.callback(makeCallback({ ...device(1), requestId: 'told-1' }))
  for (const part of ['', '/targets', '/callbacks']) {
    const named = await service.get(`/v1/activations/told-1${part}`)
    t.match(named, { status: 200 })
    t.strictSame((await service.get(`/v1/activations/${name}${part}`)).body, named.body, `its old name shows ${part}`)
  }
  t.match(await service.get(`/v1/activations/${name}/callbacks`), { body: { items: [{ requestId: 'told-1' }] } })
})

t.test('callbacks settle nothing under a requestId that somebody records at that moment', async t => {
  const { service, send } = await startUnknown(t)
  const name = await send(1)
  await makeSentOlder(service)
  const holder = new pg.Client({ connectionString: service.databaseUrl })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  await holder.query('select from submissions for update')
  await service.callback(makeCallback({ ...device(1), requestId: 'told-1' }))
  await makeUnclaimedOlder(service)
  await until(
    () =>
      service.sql(
        `select from pg_stat_activity where application_name = 'thingspace background' and wait_event_type = 'Lock'
           and datname = current_database() and query like '%from submissions where id%'`,
      ),
    rows => rows.length > 0,
  )
  t.match(await service.record('told-1', [device(1)], { servicePlan: 'EXAMPLE_PLAN' }), { status: 201 })
  await holder.query('rollback')
  // The next callbacks that are looked at come after those.
  await until(
    () =>
      service.sql(
        `select from pg_stat_activity where application_name = 'thingspace background' and wait_event_type = 'Lock'
           and datname = current_database()`,
      ),
    rows => rows.length === 0,
  )
  await send(2)
  await makeSentOlder(service)
  await service.callback(makeCallback({ ...device(2), requestId: 'told-2' }))
  await makeUnclaimedOlder(service)
  await until(
    () => states(service),
    rows => rows.some(({ state }) => state === 'accepted'),
  )
  t.strictSame(await states(service), [
    { state: 'unknown', request_id: null },
    { state: 'accepted', request_id: 'told-2' },
  ])
  t.match(await service.get(`/v1/activations/${name}`), { body: { requestId: name, status: 'unknown' } })
})
