import t from 'tap'
import { makeDevices } from '../../src/simulator/make-identifiers.ts'
import { errorShapes } from '../../src/simulator/settings.ts'
import { failure } from '../thingspace/client-carrier.ts'
import { account, startAll } from './callback-receiver.ts'

const activation = (count = 1) => ({ accountName: account, devices: makeDevices(3, count) })

/** A bare call, to see the answer as it is. */
const signedIn = async (url: string) => {
  const headers = { authorization: `Basic ${btoa('k:s')}`, 'content-type': 'application/x-www-form-urlencoded' }
  const token = await fetch(`${url}/api/ts/v1/oauth2/token`, {
    method: 'POST',
    headers,
    body: 'grant_type=client_credentials',
  })
  const { access_token } = (await token.json()) as { access_token: string }
  const bearer = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ username: 'u', password: 'p' })
  const login = await fetch(`${url}/api/m2m/v1/session/login`, { method: 'POST', headers: bearer, body })
  const { sessionToken } = (await login.json()) as { sessionToken: string }
  return async (path: string, sent: unknown, changes: Record<string, string> = {}) => {
    const init = {
      method: 'POST',
      headers: { ...bearer, 'vz-m2m-token': sessionToken, ...changes },
      body: JSON.stringify(sent),
    }
    const answer = await fetch(`${url}/api/m2m/v1${path}`, init)
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
  }
}
const activatePath = '/devices/profile/actions/activate'

t.test('refuse: each of its error bodies is written as documented', async t => {
  const { simulator, received } = await startAll(t)
  const ask = await signedIn(simulator.url)
  const answers: Record<string, unknown> = {}
  for (const refuseWith of errorShapes) {
    simulator.settings({ refuse: 1, refuseOn: 'actions', refuseWith })
    answers[refuseWith] = await ask(activatePath, activation())
  }
  t.match(answers, {
    unified: {
      status: 400,
      type: 'application/json',
      text: /^{"errorCode":"UnifiedWebService\.REQUEST_FAILED\.AccountNotFound","errorMessage":/,
    },
    digits: { status: 400, text: '{"errorCode":"400","errorMessage":"Bad request"}' },
    gateway: { status: 401, text: /^{"fault":{"code":"900901","message":"Invalid Credentials","description":/ },
    xml: { status: 403, type: /application\/xml/, text: /^<am:fault .*<am:code>900908<\/am:code>.*<\/am:fault>$/ },
    oauth: { status: 400, text: /^{"error":"invalid_client","error_description":/ },
  })
  await simulator.idle()
  t.equal(received.length, 0, 'and nothing was taken')
})

t.test('expireSession: a call is refused with 401, and the client signs in again', async t => {
  const { client, simulator } = await startAll(t)
  await client.activate(activation())
  simulator.expireSessions()
  await client.activate(activation())
  const statuses = simulator
    .asked()
    .filter(({ path }) => path.endsWith('activate'))
    .map(({ status }) => status)
  t.strictSame(statuses, [200, 401, 200])

  simulator.settings({ expireSession: 0.3 })
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => client.listListeners(account)))
  const refused = simulator.asked().filter(({ method, status }) => method === 'GET' && status === 401).length
  t.ok(refused > 0, `${refused} were refused`)
  t.ok(outcomes.some(({ status }) => status === 'fulfilled'))
})

t.test('loseAnswer: the request is taken and called back, but the asker never learns its id', async t => {
  const { client, simulator, received } = await startAll(t, { loseAnswer: 1 })
  t.match(await failure(client.activate(activation(2))), { kind: 'unreachable', outcome: 'unknown' })
  await simulator.idle()
  t.equal(received.length, 2)
})

t.test('answerAfterMs: the answer takes its time, and the callbacks wait for it', async t => {
  const { client, simulator, received } = await startAll(t, { answerAfterMs: 150, callbackAfterMs: 1000 })
  const started = performance.now()
  await client.activate(activation())
  t.ok(performance.now() - started >= 149)
  t.equal(received.length, 0)
  await simulator.idle()
  t.equal(received.length, 1)
})

t.test('more than 100 activations a minute are refused with 429 and a time', async t => {
  const { client } = await startAll(t, { requestsPerMinute: 3 })
  for (const _ of [1, 2, 3]) await client.activate(activation())
  t.match(await failure(client.activate(activation())), {
    kind: 'rate-limited',
    outcome: 'refused',
    retryAfterMs: Number,
  })
})

t.test('status: the top says Success while a part is pending, as in the carrier’s example', async t => {
  const { client } = await startAll(t, { topStatusSuccess: true, callbackAfterMs: 60_000 })
  const { requestId } = await client.activate(activation(2))
  t.match(await client.requestStatus(account, requestId), {
    status: 'Success',
    subRequests: [{ status: 'Pending' }, {}],
  })
})

t.test('statusContradicts: the status says the opposite of the callback', async t => {
  const { client, simulator, received } = await startAll(t, { statusContradicts: 1 })
  const { requestId } = await client.activate(activation())
  await simulator.idle()
  t.equal(received[0]?.body.status, 'SUCCESS')
  t.match(await client.requestStatus(account, requestId), { subRequests: [{ status: 'Failed' }] })
})

t.test('a request of another account is not shown', async t => {
  const { client } = await startAll(t)
  const { requestId } = await client.activate(activation())
  t.match(await failure(client.requestStatus('another', requestId)), { httpStatus: 404 })
})

t.test('what is not of the documented form is refused', async t => {
  const { simulator } = await startAll(t)
  const ask = await signedIn(simulator.url)
  const device = (kind: string, id: unknown) => ({ accountName: account, devices: [{ deviceIds: [{ kind, id }] }] })
  for (const [body, code] of [
    [{}, 'Body'],
    [[], 'Body'],
    [{ accountName: account, devices: [] }, 'Body'],
    [device('iccid', 7), 'Body'],
    [device('iccid', 'x'), 'Body'],
    [device('mdn', '5555550101'), 'Kind'],
    [{ accountName: account, devices: [{ deviceIds: [] }] }, 'DeviceIds'],
    [activation(10_001), 'MaxRequestsExceeded'],
  ] as const) {
    t.match(await ask(activatePath, body), { status: 400, text: `UnifiedWebService.INPUT_INVALID.${code}"` }, code)
  }
  const cut = await fetch(`${simulator.url}/api/m2m/v1${activatePath}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"devices":',
  })
  t.match(await cut.json(), { errorCode: 'UnifiedWebService.INPUT_INVALID.Body' })
  t.match(await ask(activatePath, activation(), { authorization: '' }), { status: 401, text: '900902' })
  t.match(await ask(activatePath, activation(), { authorization: 'Bearer x' }), { status: 401, text: '900901' })
  t.match(await ask(activatePath, activation(), { 'vz-m2m-token': 'x' }), { status: 401, text: 'SessionToken.Expired' })
})

t.test('nobody is called back outside this host, unless it is allowed', async t => {
  const { client, simulator } = await startAll(t)
  const listener = (url: string) => ({ name: 'CarrierService', url, username: 'u', password: 'p' })
  for (const url of [
    'http://192.0.2.1/',
    'https://example.com/',
    'http://127.0.0.1.example.com/',
    'http://0.0.0.0/',
    'ftp://127.0.0.1/',
    'x',
  ]) {
    const error = await failure(client.registerListener(account, listener(url)))
    t.match(error, { httpStatus: 400, errorCode: /CallbackUrl$/ }, url)
    t.throws(() => simulator.listen({ accountName: account, serviceName: 'CarrierService', url }), url)
  }
  for (const url of ['http://localhost:9/', 'http://[::1]:9/x', 'http://127.1.2.3:9/', 'http://2130706433:9/']) {
    await client.registerListener(account, listener(url))
  }
  const open = await startAll(t, {}, undefined, { allowAnyHost: true })
  await open.client.registerListener(account, listener('http://192.0.2.1/'))
})

t.test('five wrong passwords lock the account until it is unlocked', async t => {
  const { simulator } = await startAll(t, {}, undefined, { credentials: { password: 'right' } })
  const { createThingSpaceClient } = await import('../../src/thingspace/client.ts')
  const fresh = (password: string) =>
    createThingSpaceClient({ baseUrl: simulator.url, key: 'k', secret: 's', username: 'u', password })
  for (const _ of [1, 2, 3, 4, 5]) t.match(await failure(fresh('wrong').listListeners(account)), { httpStatus: 401 })
  t.match(await failure(fresh('right').listListeners(account)), { errorCode: /UserLocked/ })
  simulator.unlock()
  t.ok(await fresh('right').listListeners(account))
})
