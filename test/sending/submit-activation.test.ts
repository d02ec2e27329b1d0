import t from 'tap'
import { activatePath, asked, requestFor, startCarrier, startSendingService, until } from '../fixtures/carrier.ts'
import { device } from '../fixtures/make-callback.ts'
import { account, takeTestService } from '../fixtures/service.ts'

t.test('an activation is sent, recorded, called back, and succeeds', async t => {
  const carrier = await startCarrier(t)
  const service = await startSendingService(t, carrier)
  const answer = await service.call('POST', '/v1/activations', { body: requestFor(1, 2, 3) })
  t.match(answer, {
    status: 202,
    body: {
      accountName: account,
      operation: 'activate',
      servicePlan: 'EXAMPLE_PLAN',
      counts: { targets: 3 },
      overdue: false,
    },
  })
  const { requestId } = answer.body
  t.equal(answer.headers.get('location'), `/v1/activations/${requestId}`)
  const settled = await until(
    () => service.get(`/v1/activations/${requestId}`),
    ({ body }) => body.settledAt !== null,
  )
  t.match(settled.body, { status: 'succeeded', counts: { targets: 3, succeeded: 3 } })
  t.match(await service.get(`/v1/profiles/${device(2).iccid}`), {
    body: { state: 'ACTIVE', lastResult: { requestId } },
  })
  t.strictSame(await service.sql('select state, request_id, settled_by from submissions'), [
    { state: 'accepted', request_id: requestId, settled_by: 'answer' },
  ])
  const { body: page } = await service.get('/metrics')
  t.match(page, /thingspace_calls_total\{call="activate",outcome="ok"\} 1/)
})

t.test('a callback that overtakes the answer is claimed by its activation', async t => {
  const carrier = await startCarrier(t, { settings: { early: 1 } })
  const service = await startSendingService(t, carrier)
  const { status, body } = await service.call('POST', '/v1/activations', { body: requestFor(1) })
  t.equal(status, 202)
  const settled = await until(
    () => service.get(`/v1/activations/${body.requestId}`),
    answer => answer.body.status === 'succeeded',
  )
  t.match(settled.body, { status: 'succeeded', counts: { targets: 1, succeeded: 1 } })
})

t.test('one key sends once: 20 at the same time, and any time later', async t => {
  const carrier = await startCarrier(t, { settings: { answerAfterMs: 300 } })
  const service = await startSendingService(t, carrier)
  const send = (key: string, body: object) =>
    service.call('POST', '/v1/activations', { body, headers: { 'idempotency-key': key } })
  const answers = await Promise.all(Array.from({ length: 20 }, () => send('first', requestFor(1, 2))))
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([202]))
  t.equal(new Set(answers.map(({ body }) => body.requestId)).size, 1)
  t.equal(asked(carrier, activatePath), 1)

  const [first] = answers
  t.match(await send('first', requestFor(2, 1)), { status: 202, body: { requestId: first?.body.requestId } })
  t.match(await send('first', requestFor(3)), { status: 409, body: { errorMessage: /Idempotency-Key/ } })
  t.equal(asked(carrier, activatePath), 1, 'neither was sent')
  const other = await send('second', requestFor(1, 2))
  t.not(other.body.requestId, first?.body.requestId)
  t.equal(asked(carrier, activatePath), 2)
  t.match(await send('no good key', requestFor(1)), { status: 400, body: { errorMessage: /idempotency-key/ } })
})

t.test('what can be wrong with a request is told by device and field, before anything is sent', async t => {
  const carrier = await startCarrier(t)
  const service = await startSendingService(t, carrier)
  const one = requestFor(1)
  const ids = (...pairs: [string, string][]) => ({
    ...one,
    devices: [{ deviceIds: pairs.map(([kind, id]) => ({ kind, id })) }],
  })
  const cases: [string, object, RegExp][] = [
    ['the same device twice', requestFor(1, 2, 1), /devices\.0 and devices\.2 are the same device \(iccid\)/],
    ['an identifier of letters', ids(['iccid', '89x']), /devices\.0\.deviceIds\.0\.id must be the digits of an iccid/],
    ['two of a kind', ids(['eid', '1'], ['EID', '2']), /devices\.0\.deviceIds\.1 is a second eid of the same device/],
    ['an unknown operation', { ...one, operation: 'explode' }, /operation is not one of activate, download/],
    ['no devices', { ...one, devices: [] }, /devices/],
    ['too many', { ...one, devices: Array(10_001).fill(one.devices[0]) }, /devices/],
    ['no account', { devices: one.devices }, /accountName is missing/],
    ['an unknown field', { ...one, plan: 'x' }, /plan is not known/],
  ]
  for (const [name, body, message] of cases) {
    const answer = await service.call('POST', '/v1/activations', { body })
    t.match({ name, ...answer }, { name, status: 400, body: { errorCode: '400', errorMessage: message } })
  }
  t.equal(asked(carrier, activatePath), 0)
  t.strictSame(await service.sql('select * from submissions'), [])
})

t.test('without credentials for ThingSpace the variables that are missing are named', async t => {
  const service = await takeTestService(t)
  const answer = await service.call('POST', '/v1/activations', { body: requestFor(1) })
  t.match(answer, { status: 503, body: { errorMessage: /THINGSPACE_KEY, .*THINGSPACE_PASSWORD are not set/ } })
})

t.test('100 requests of one moment are all within the pace, and none waits', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1 } })
  const service = await startSendingService(t, carrier)
  const statuses = new Set<number>()
  // As many at once as a busy machine serves before they wait too long for a connection.
  for (let sent = 0; sent < 100; sent += 10) {
    const some = Array.from({ length: 10 }, (_, n) =>
      service.call('POST', '/v1/activations', { body: requestFor(sent + n) }),
    )
    for (const { status } of await Promise.all(some)) statuses.add(status)
  }
  t.strictSame(statuses, new Set([202]))
  const more = await service.call('POST', '/v1/activations', { body: requestFor(100) })
  t.match(more, { status: 429, body: { errorMessage: /100 requests a minute/ } })
  t.equal(asked(carrier, activatePath), 100)
})

t.test('10,000 devices are sent in one request', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1 } })
  const service = await startSendingService(t, carrier)
  const body = requestFor(...Array.from({ length: 10_000 }, (_, n) => n))
  t.match(await service.call('POST', '/v1/activations', { body }), {
    status: 202,
    body: { counts: { targets: 10_000 } },
  })
})
