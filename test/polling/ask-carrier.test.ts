import t from 'tap'
import { requestFor, startCarrier, startSendingService, until } from '../fixtures/carrier.ts'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import type { TestService } from '../fixtures/service.ts'

const soon = { EXPECT_WITHIN: '1s' }

const stops = (service: TestService) =>
  until(
    () => service.sql('select stopped_because as because from polls where stopped_at is not null'),
    rows => rows.length > 0,
  )

t.test('what is overdue shows in the feed, the metrics and its targets, and is healed by asking', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1, refuse: 1, refuseOn: 'status' } })
  const service = await startSendingService(t, carrier, soon)
  const { body } = await service.call('POST', '/v1/activations', { body: requestFor(1, 2) })
  const at = `/v1/activations/${body.requestId}`
  const changes = `select was, becomes, source from changes where kind = 'activation' and request_id = $1 order by id`
  const overdue = await until(
    () => service.sql(changes, [body.requestId]),
    rows => rows.length > 1,
  )
  t.match(overdue[1], { was: { overdue: false }, becomes: { overdue: true }, source: 'clock' })
  t.match(await service.get(at), { body: { overdue: true, status: 'pending' } })
  t.match(await service.get(`${at}/targets`), { body: { items: [{ overdue: true }, { overdue: true }] } })
  const metrics = await until(
    () => service.get('/metrics'),
    page => page.body.includes('thingspace_activations_overdue 1'),
  )
  t.match(metrics.body, /thingspace_activations_overdue 1/)

  await until(
    () => service.sql("select * from polls where outcome = 'refused'"),
    rows => rows.length > 0,
  )
  carrier.settings({ refuse: 0 })
  await service.sql('update polls set next_poll_at = now()')
  const healed = await until(
    () => service.get(at),
    answer => answer.body.settledAt !== null,
  )
  t.match(healed, { body: { status: 'succeeded', overdue: false, counts: { succeeded: 2 } } })
  t.match(await service.get(`${at}/targets`), {
    body: { items: [{ source: 'poll', overdue: false, callbacks: 0 }, {}] },
  })
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { body: { lastResult: { source: 'poll' } } })
  t.strictSame(await stops(service), [{ because: 'settled' }])
})

t.test('a poll that contradicts a callback is a conflict, and both are kept', async t => {
  const carrier = await startCarrier(t, { settings: { statusContradicts: 1, never: 1 } })
  const service = await startSendingService(t, carrier, soon)
  const { body } = await service.call('POST', '/v1/activations', { body: requestFor(1, 2) })
  const { requestId } = body
  await service.callback(makeCallback({ ...device(1), requestId }))
  const at = `/v1/activations/${requestId}`
  const conflict = await until(
    () => service.get(at),
    answer => answer.body.status === 'conflict',
  )
  t.match(conflict, { body: { status: 'conflict', counts: { conflict: 1, failed: 1 } } })
  t.strictSame(
    await service.sql('select source, result from results where iccid = $1 order by source', [device(1).iccid]),
    [
      { source: 'callback', result: 'succeeded' },
      { source: 'poll', result: 'failed' },
    ],
  )
  t.strictSame(await stops(service), [{ because: 'answered' }])
})

t.test('a poll settles a quarrel among callbacks', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1 } })
  const service = await startSendingService(t, carrier, soon)
  const { requestId } = (await service.call('POST', '/v1/activations', { body: requestFor(1) })).body
  await service.callback(makeCallback({ ...device(1), requestId }))
  await service.callback(makeFault({ ...device(1), requestId }))
  t.match(await service.get(`/v1/activations/${requestId}`), { body: { status: 'conflict' } })
  const settled = await until(
    () => service.get(`/v1/activations/${requestId}`),
    answer => answer.body.settledAt !== null,
  )
  t.match(settled.body, { status: 'succeeded', settledAt: /Z$/ })
})

t.test('a callback that contradicts what was settled has the carrier asked again', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1, refuse: 1, refuseOn: 'status' } })
  const service = await startSendingService(t, carrier, soon)
  const { requestId } = (await service.call('POST', '/v1/activations', { body: requestFor(1) })).body
  await until(
    () => service.sql("select * from polls where outcome = 'refused'"),
    rows => rows.length > 0,
  )
  await service.callback(makeCallback({ ...device(1), requestId }))
  await service.sql('update polls set next_poll_at = now()')
  t.strictSame(await stops(service), [{ because: 'settled' }])

  carrier.settings({ refuse: 0 })
  await service.callback(makeFault({ ...device(1), requestId }))
  t.match(await service.get(`/v1/activations/${requestId}`), { body: { status: 'conflict' } })
  const settled = await until(
    () => service.get(`/v1/activations/${requestId}`),
    answer => answer.body.settledAt !== null,
  )
  t.match(settled.body, { status: 'succeeded' })
})

t.test('so it has while another target waits for ever, and asking had stopped', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1, refuse: 1, refuseOn: 'status' } })
  const service = await startSendingService(t, carrier, soon)
  const { requestId } = (await service.call('POST', '/v1/activations', { body: requestFor(1, 2) })).body
  await service.callback(makeCallback({ ...device(1), requestId }))
  await until(
    () => service.sql("select * from polls where outcome = 'refused'"),
    rows => rows.length > 0,
  )
  await service.sql('update polls set polls = 18, next_poll_at = now()')
  t.match(await stops(service), [{ because: 'tries' }])

  carrier.settings({ refuse: 0 })
  await service.callback(makeFault({ ...device(1), requestId }))
  const settled = await until(
    () => service.get(`/v1/activations/${requestId}`),
    answer => answer.body.settledAt !== null,
  )
  t.match(settled.body, { status: 'succeeded' })
})
