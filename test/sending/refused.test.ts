import t from 'tap'
import { activatePath, asked, loginPath, requestFor, startCarrier, startSendingService } from '../fixtures/carrier.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'

const nothingKept = { activations: 0, targets: 0, changes: 0 }
const kept = `select (select count(*)::int from activations) as activations, (select count(*)::int from targets) as targets,
  (select count(*)::int from changes) as changes`

t.test("the carrier's refusal is answered in its own words, and nothing is recorded", async t => {
  const carrier = await startCarrier(t, { settings: { refuse: 1, refuseOn: 'actions' } })
  const service = await startSendingService(t, carrier)
  const cases = [
    ['unified', 400, 'UnifiedWebService.REQUEST_FAILED.AccountNotFound', /account was not found/],
    ['digits', 400, '400', /Bad request/],
    ['gateway', 502, '900901', /Invalid Credentials/],
    ['xml', 502, '900908', /Access failure/],
    ['oauth', 400, 'invalid_client', /OAuth client/],
  ] as const
  for (const [refuseWith, status, errorCode, errorMessage] of cases) {
    carrier.settings({ refuseWith })
    const answer = await service.call('POST', '/v1/activations', { body: requestFor(1) })
    t.match({ refuseWith, ...answer }, { refuseWith, status, body: { errorCode, errorMessage } })
  }
  t.strictSame(await service.sql(kept), [nothingKept])
  t.strictSame(await service.sql('select distinct state from submissions'), [{ state: 'refused' }])

  carrier.settings({ refuse: 0 })
  t.match(await service.call('POST', '/v1/activations', { body: requestFor(1) }), { status: 202 })
})

t.test('a key whose request was refused can be tried again', async t => {
  const carrier = await startCarrier(t, { settings: { refuse: 1, refuseOn: 'actions' } })
  const service = await startSendingService(t, carrier)
  const send = () =>
    service.call('POST', '/v1/activations', { body: requestFor(1), headers: { 'idempotency-key': 'again' } })
  t.match(await send(), { status: 400 })
  carrier.settings({ refuse: 0 })
  const taken = await send()
  t.match(taken, { status: 202 })
  t.match(await send(), { status: 202, body: { requestId: taken.body.requestId } })
  t.equal(asked(carrier, activatePath), 2)
})

t.test('while the carrier can not be reached it is said so, nothing is kept, and callbacks are received', async t => {
  const carrier = await startCarrier(t)
  const service = await startSendingService(t, carrier)
  await carrier.close()
  const [answer, callback] = await Promise.all([
    service.call('POST', '/v1/activations', { body: requestFor(1) }),
    service.callback(makeCallback({ ...device(2), requestId: 'other-1' })),
  ])
  t.match(answer, { status: 503, body: { errorMessage: /can not be reached; nothing was sent/ } })
  t.ok(Number(answer.headers.get('retry-after')) > 0)
  t.match(callback, { status: 200, body: { verdict: 'unmatched' } })
  t.strictSame(await service.sql('select count(*)::int as targets from targets'), [{ targets: 0 }])
})

t.test('two refused logins are the last: a third request does not try, and is told why', async t => {
  const carrier = await startCarrier(t, { credentials: { password: 'another' } })
  const service = await startSendingService(t, carrier)
  const send = () => service.call('POST', '/v1/activations', { body: requestFor(1) })
  t.match(await send(), { status: 502, body: { errorCode: /UsernamePassword/ } })
  t.match(await send(), { status: 502 })
  t.equal(asked(carrier, loginPath), 2)
  t.match(await send(), { status: 503, body: { errorMessage: /two logins.*THINGSPACE_PASSWORD.*latch/ } })
  t.equal(asked(carrier, loginPath), 2, 'no third login')
  t.equal(asked(carrier, activatePath), 0)
  t.strictSame(await service.sql(kept), [nothingKept])
})
