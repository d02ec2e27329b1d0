import t from 'tap'
import { makeDevices } from '../../src/simulator/make-identifiers.ts'
import { account, sleep, startAll } from './callback-receiver.ts'

const devices = (count: number) => makeDevices(3, count)
const activate = (count: number) => ({ accountName: account, servicePlan: 'PLAN', devices: devices(count) })

t.test('early: callbacks come before the answer of their own request', async t => {
  const { client, received, simulator } = await startAll(t, { early: 1, callbackAfterMs: 5000 }, async () => {
    await sleep(30)
    return 200
  })
  const { requestId } = await client.activate(activate(5))
  const answeredAt = performance.now()
  t.equal(received[0]?.body.requestId, requestId)
  t.ok((received[0]?.answeredAt ?? Infinity) < answeredAt, 'the first is even acknowledged before')
  await simulator.idle()
  t.equal(received.length, 5)
})

t.test('late: some callbacks come long after the others, while the status knows at once', async t => {
  const { client, received, simulator } = await startAll(t, { late: 0.3, timeScale: 0.001, retryUnansweredAfterMs: 0 })
  const { requestId } = await client.activate(activate(20))
  await sleep(250)
  const late = simulator.ledger().length
  t.ok(late < 20 && late > 5, `${late} of 20 in time`)
  const { subRequests } = await client.requestStatus(account, requestId)
  t.ok(subRequests.every(({ status }) => status === 'Success'))
  await simulator.idle()
  t.equal(received.length, 20)
  t.ok(
    simulator
      .ledger()
      .slice(late)
      .every(({ marks }) => marks.includes('late')),
  )
})

t.test('never: some callbacks do not come, while the status knows', async t => {
  const { client, received, simulator } = await startAll(t, { never: 0.5 })
  const { requestId } = await client.activate(activate(40))
  await simulator.idle()
  const withheld = simulator.ledger().filter(({ outcome, why }) => outcome === 'withheld' && why === 'never').length
  t.ok(withheld > 5 && withheld < 35, `${withheld} of 40`)
  t.equal(received.length, 40 - withheld)
  const { status, subRequests } = await client.requestStatus(account, requestId)
  t.equal(status, 'Success')
  t.equal(subRequests.length, 40)
})

t.test('twice: the same callback comes again with callbackCount 2 while the first still runs', async t => {
  const { client, received, simulator } = await startAll(t, { twice: 1 }, async () => {
    await sleep(100)
    return 200
  })
  await client.activate(activate(3))
  await simulator.idle()
  t.equal(received.length, 6)
  for (const first of received.filter(({ body }) => body.callbackCount === 1)) {
    const second = received.find(
      ({ body }) => body.callbackCount === 2 && JSON.stringify(body.deviceIds) === JSON.stringify(first.body.deviceIds),
    )
    t.ok(second && second.at < (first.answeredAt ?? 0), 'they overlap')
    t.strictSame({ ...second?.body, callbackCount: 1 }, first.body)
  }
  t.ok(simulator.ledger().every(({ attempts }) => attempts.length === 2 && attempts.every(one => one.outcome === 'ok')))
})

t.test('shuffled: the callbacks of a request come in another order, and none is missing', async t => {
  const { client, received, simulator } = await startAll(t, { shuffled: true, callbackSpreadMs: 200 })
  await client.activate(activate(20))
  await simulator.idle()
  const asked = devices(20).map(({ deviceIds }) => deviceIds[1]?.id)
  const came = received.map(({ body }) => (body.deviceIds as { id: string }[])[0]?.id)
  t.notSame(came, asked)
  t.strictSame([...came].sort(), [...asked].sort())
})

t.test('warning: an interim word comes first, the final one later', async t => {
  const { client, received, simulator } = await startAll(t, { warning: 1, finalAfterWarningMs: 1500 })
  const { requestId } = await client.activate(activate(2))
  while (received.length < 2) await sleep(5)
  t.strictSame(
    received.map(({ body }) => body.status),
    ['warning', 'warning'],
  )
  t.equal((await client.requestStatus(account, requestId)).status, 'Pending')
  await simulator.idle()
  t.strictSame(
    received.slice(2).map(({ body }) => body.status),
    ['SUCCESS', 'SUCCESS'],
  )
  t.equal((await client.requestStatus(account, requestId)).status, 'Success')
})

t.test('fault: some profiles fail, with the code that was chosen', async t => {
  const { client, received, simulator } = await startAll(t, { fault: 0.5, faultCode: 'REQUEST_FAILED.InvalidEid' })
  const { requestId } = await client.activate(activate(30))
  await simulator.idle()
  const failed = received.filter(({ body }) => body.status === 'Failed')
  t.ok(failed.length > 5 && failed.length < 25, `${failed.length} of 30`)
  t.match(failed[0]?.body, { faultResponse: { faultcode: 'UnifiedWebService.REQUEST_FAILED.InvalidEid' } })
  const { status, subRequests } = await client.requestStatus(account, requestId)
  t.equal(status, 'Failed')
  t.equal(subRequests.filter(part => part.status === 'Failed').length, failed.length)
})

t.test('contradict: a profile succeeds, and then fails as well', async t => {
  const { client, received, simulator } = await startAll(t, { contradict: 1 })
  await client.activate(activate(1))
  await simulator.idle()
  t.strictSame(received.map(({ body }) => body.status).sort(), ['Failed', 'SUCCESS'])
})

t.test('addressFault: the profile is active although its address update failed', async t => {
  const { client, received, simulator } = await startAll(t, { addressFault: 1 })
  await client.activate(activate(1))
  await simulator.idle()
  const response = { state: 'ACTIVE', euiccSubAddressUpdateStatus: 'EXECUTED_FAILURE' }
  t.match(received[0]?.body, { status: 'SUCCESS', deviceResponse: { deviceProfileResponse: response } })
})

t.test('oldPassword: for a while after a rotation both passwords are used', async t => {
  const { client, received, simulator, url } = await startAll(
    t,
    { oldPassword: 0.5, oldPasswordForMs: 1500 },
    ({ body }) => (body.password === 'password-2' ? 200 : 403),
  )
  const listener = { name: 'CarrierService', url, username: 'listener', password: 'password-2' }
  await client.registerListener(account, listener)
  simulator.settings({ retryRefused: 'never' })
  await client.activate(activate(40))
  await simulator.idle()
  const old = received.filter(({ body }) => body.password === 'password-1').length
  t.ok(old > 5 && old < 35, `${old} of 40`)
  t.equal(simulator.state().callbacks.refused, old)
  t.equal(simulator.ledger().filter(({ attempts }) => attempts[0]?.credentials === 'previous').length, old)

  await sleep(1500)
  received.length = 0
  await client.activate(activate(20))
  await simulator.idle()
  t.ok(
    received.every(({ body }) => body.password === 'password-2'),
    'and then only the new one',
  )
})

t.test('the same seed misbehaves the same way, another one differently', async t => {
  const marksOf = async (seed: number) => {
    const wild = { never: 0.3, twice: 0.3, fault: 0.3, warning: 0.3, shuffled: true, oldPassword: 0.3 }
    const { client, simulator } = await startAll(t, wild, undefined, { seed })
    await client.activate(activate(50))
    await simulator.idle()
    return simulator
      .ledger()
      .map(({ says, marks, body }) => [(body.deviceIds as { id: string }[])[0]?.id, says, ...marks].join(' '))
      .sort()
  }
  t.strictSame(await marksOf(5), await marksOf(5))
  t.notSame(await marksOf(5), await marksOf(6))
})
