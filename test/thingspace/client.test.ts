import t from 'tap'
import { makeDevices } from '../../src/simulator/make-identifiers.ts'
import { startSimulator } from '../../src/simulator/start-simulator.ts'
import { clientOf, failure, json, oneDevice, startCarrier } from './client-carrier.ts'

t.test('an activation leaves with exactly the documented headers and fields', async t => {
  const carrier = await startCarrier(t)
  const { requestId } = await clientOf(carrier.baseUrl).activate(oneDevice)
  t.equal(requestId, 'd1f08526-5443-4054-9a29-4456490ea9f8')

  const [token, login, activate] = carrier.calls
  t.match(token, {
    method: 'POST',
    path: '/api/ts/v1/oauth2/token',
    body: 'grant_type=client_credentials',
    headers: {
      authorization: `Basic ${Buffer.from('the-key:the-secret').toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
  })
  t.match(login, {
    method: 'POST',
    path: '/api/m2m/v1/session/login',
    headers: { authorization: 'Bearer token-secret-1', 'content-type': 'application/json' },
  })
  t.strictSame(JSON.parse(login?.body ?? ''), { username: 'the-user', password: 'the-password' })
  t.match(activate, {
    method: 'POST',
    path: '/api/m2m/v1/devices/profile/actions/activate',
    headers: {
      authorization: 'Bearer token-secret-1',
      'vz-m2m-token': 'session-secret-1',
      'content-type': 'application/json',
    },
  })
  t.strictSame(JSON.parse(activate?.body ?? ''), oneDevice)
})

t.test('what an activation does not say is not sent, and neither is what the carrier does not know', async t => {
  const carrier = await startCarrier(t)
  const [device] = oneDevice.devices
  const asked = {
    accountName: 'a',
    devices: [{ ...device, note: 'ours', deviceIds: device?.deviceIds ?? [] }],
    extra: 1,
  }
  await clientOf(carrier.baseUrl).activate(asked)
  t.strictSame(JSON.parse(carrier.calls.at(-1)?.body ?? ''), { devices: oneDevice.devices, accountName: 'a' })
})

t.test('another operation is the same call with its own last step', async t => {
  const carrier = await startCarrier(t)
  await clientOf(carrier.baseUrl).perform('deactivate', { ...oneDevice, reasonCode: 'FF' })
  t.equal(carrier.calls.at(-1)?.path, '/api/m2m/v1/devices/profile/actions/deactivate')
  t.match(JSON.parse(carrier.calls.at(-1)?.body ?? ''), { reasonCode: 'FF' })
})

t.test('with a simulated carrier', async t => {
  const simulator = await startSimulator({ seed: 1, accounts: ['acc 1'] })
  t.teardown(() => simulator.close())
  const client = clientOf(simulator.url)

  await t.test('the status of a request is told for each profile', async t => {
    simulator.settings({ callbackAfterMs: 0, callbackSpreadMs: 0 })
    const devices = makeDevices(1, 3)
    const { requestId } = await client.activate({ accountName: 'acc 1', devices })
    await new Promise(resolve => setTimeout(resolve, 20))
    const status = await client.requestStatus('acc 1', requestId)
    t.equal(status.subRequests.length, 3)
    t.ok(status.subRequests.every(part => part.status === 'Success'))
    t.match(status.subRequests[0]?.ids, [{ kind: 'iccid', id: devices[0]?.deviceIds[1]?.id }])
  })

  await t.test('10,000 profiles are one request, and their status one answer', async t => {
    const { requestId } = await client.activate({ accountName: 'acc 1', devices: makeDevices(1, 10_000) })
    t.equal((await client.requestStatus('acc 1', requestId)).subRequests.length, 10_000)
  })

  await t.test('listeners are registered, listed without their password in sight, and deregistered', async t => {
    const listener = { name: 'CarrierService', url: 'http://127.0.0.1:9/x', username: 'u', password: 'listener-secret' }
    t.strictSame(await client.listListeners('acc 1'), [])
    await client.registerListener('acc 1', listener)
    const [listed] = await client.listListeners('acc 1')
    t.match(listed, { accountName: 'acc 1', serviceName: 'CarrierService', url: 'http://127.0.0.1:9/x', username: 'u' })
    t.notMatch(JSON.stringify(listed), 'listener-secret')
    t.equal(listed?.revealPassword(), 'listener-secret')
    await client.deregisterListener('acc 1', 'CarrierService')
    t.strictSame(await client.listListeners('acc 1'), [])
  })

  await t.test('an account that the carrier does not know is refused in its own words', async t => {
    t.match(await failure(client.activate({ ...oneDevice, accountName: 'nobody' })), {
      kind: 'refused',
      outcome: 'refused',
      httpStatus: 400,
      errorCode: 'UnifiedWebService.REQUEST_FAILED.AccountNotFound',
      errorMessage: 'REQUEST_FAILED. The account was not found.',
    })
  })
})

t.test('an account without listeners may answer with no body at all', async t => {
  const carrier = await startCarrier(t, { action: response => response.end() })
  t.strictSame(await clientOf(carrier.baseUrl).listListeners('a'), [])
})

t.test('an account name cannot leave its place in the path', async t => {
  const carrier = await startCarrier(t)
  const client = clientOf(carrier.baseUrl)
  await failure(client.requestStatus('..', 'x'))
  await failure(client.deregisterListener('a', '..'))
  t.equal(carrier.calls.length, 0)
  carrier.answers.action = json(200, [])
  await client.listListeners('a/../b?c#d')
  t.equal(carrier.calls.at(-1)?.path, '/api/m2m/v1/callbacks/a%2F..%2Fb%3Fc%23d')
})

t.test('a base URL that would leak or mislead is not taken', async t => {
  for (const baseUrl of ['ftp://x', 'x', 'http://user:pw@x', 'http://x/?a=1', 'http://x/#a', '']) {
    t.throws(() => clientOf(baseUrl), /base URL/, baseUrl)
  }
})
