import t from 'tap'
import { startSimulator } from '../../src/simulator/start-simulator.ts'
import { memorySessionStore } from '../../src/thingspace/session-store.ts'
import { clientOf, failure, json, oneDevice, startCarrier } from './client-carrier.ts'

const minute = 60_000
const expired = { errorCode: 'UnifiedWebService.REQUEST_FAILED.SessionToken.Expired', errorMessage: 'expired' }

t.test('50 calls at once share one token and one login', async t => {
  const carrier = await startCarrier(t)
  const client = clientOf(carrier.baseUrl)
  await Promise.all(Array.from({ length: 50 }, () => client.activate(oneDevice)))
  t.equal(carrier.called('token'), 1)
  t.equal(carrier.called('login'), 1)
  t.equal(carrier.called('activate'), 50)
})

t.test('two clients with one store share the session, as two replicas would', async t => {
  const carrier = await startCarrier(t)
  const store = memorySessionStore()
  const clients = [clientOf(carrier.baseUrl, { store }), clientOf(carrier.baseUrl, { store })]
  await Promise.all(clients.flatMap(client => [client.activate(oneDevice), client.activate(oneDevice)]))
  t.equal(carrier.called('login'), 1)
})

t.test('a session of 18 minutes unused is renewed before it is tried, a used one goes on', async t => {
  const carrier = await startCarrier(t)
  let now = 1_000_000
  const client = clientOf(carrier.baseUrl, { now: () => now })
  await client.activate(oneDevice)
  for (const _ of [1, 2, 3]) {
    now += 10 * minute
    await client.activate(oneDevice)
  }
  t.equal(carrier.called('login'), 1, 'used every ten minutes')
  now += 19 * minute
  await client.activate(oneDevice)
  t.equal(carrier.called('login'), 2)
  t.equal(carrier.called('token'), 1)
})

t.test('a token is renewed before its hour is over, and the session goes on', async t => {
  const carrier = await startCarrier(t)
  let tokens = 0
  carrier.answers.token = (response, call) =>
    json(200, { access_token: `token-${++tokens}`, expires_in: 3600 })(response, call)
  let now = 1_000_000
  const client = clientOf(carrier.baseUrl, { now: () => now })
  for (const _ of [1, 2, 3, 4, 5, 6]) {
    await client.activate(oneDevice)
    now += 11.9 * minute
  }
  t.equal(carrier.called('token'), 2)
  t.equal(carrier.called('login'), 1)
  t.match(carrier.calls.at(-1)?.headers, { authorization: 'Bearer token-2', 'vz-m2m-token': 'session-secret-1' })
})

t.test(
  'the same token handed out again is believed until its first hour is over, and not asked for in between',
  async t => {
    const carrier = await startCarrier(t)
    let now = 1_000_000
    const client = clientOf(carrier.baseUrl, { now: () => now })
    const activateAt = async (minutes: number) => {
      now = 1_000_000 + minutes * minute
      await client.activate(oneDevice)
      return carrier.called('token')
    }
    for (const at of [0, 17, 34, 51]) t.equal(await activateAt(at), 1)
    // The carrier says 3600 seconds again, of the same token.
    for (const at of [59.2, 59.4, 59.6]) t.equal(await activateAt(at), 2)
    carrier.answers.token = json(200, { access_token: 'token-2', expires_in: 3600 })
    t.equal(await activateAt(60.1), 3)
    t.match(carrier.calls.at(-1)?.headers, { authorization: 'Bearer token-2' })
  },
)

t.test('a session refused with 401 is renewed once, and 50 calls that met it are each repeated once', async t => {
  const carrier = await startCarrier(t)
  const client = clientOf(carrier.baseUrl)
  await client.activate(oneDevice)
  carrier.answers.action = (response, call) =>
    call.headers['vz-m2m-token'] === 'session-secret-1'
      ? json(401, expired)(response, call)
      : json(200, { requestId: 'abc' })(response, call)
  const answers = await Promise.all(Array.from({ length: 50 }, () => client.activate(oneDevice)))
  t.ok(answers.every(({ requestId }) => requestId === 'abc'))
  t.equal(carrier.called('login'), 2)
  t.ok(carrier.called('activate') <= 101)
})

t.test('a session fault is a lost session whatever its status', async t => {
  for (const errorCode of [
    'UnifiedWebService.REQUEST_FAILED.SessionToken.Expired',
    'INPUT_INVALID.SessionToken.Invalid',
  ]) {
    const carrier = await startCarrier(t)
    carrier.answers.action = (response, call) =>
      call.headers['vz-m2m-token'] === 'session-secret-1'
        ? json(400, { errorCode })(response, call)
        : json(200, { requestId: 'abc' })(response, call)
    t.match(await clientOf(carrier.baseUrl).activate(oneDevice), { requestId: 'abc' }, errorCode)
  }
})

t.test('a call that is refused with 401 twice is not tried a third time', async t => {
  const carrier = await startCarrier(t, { action: json(401, expired) })
  t.match(await failure(clientOf(carrier.baseUrl).activate(oneDevice)), {
    kind: 'unauthorized',
    outcome: 'refused',
    errorCode: expired.errorCode,
  })
  t.equal(carrier.called('activate'), 2)
  t.equal(carrier.called('login'), 2)
})

t.test('a stored token that died is replaced before the login counts as refused', async t => {
  const carrier = await startCarrier(t)
  let now = 1_000_000
  const client = clientOf(carrier.baseUrl, { now: () => now })
  await client.activate(oneDevice)
  now += 19 * minute
  carrier.answers.token = json(200, { access_token: 'token-2', expires_in: 3600 })
  carrier.answers.login = (response, call) =>
    call.headers.authorization === 'Bearer token-2'
      ? json(200, { sessionToken: 'session-2' })(response, call)
      : json(401, { fault: { code: '900901', message: 'Invalid Credentials' } })(response, call)
  await client.activate(oneDevice)
  t.match(carrier.calls.at(-1)?.headers, { authorization: 'Bearer token-2', 'vz-m2m-token': 'session-2' })
})

t.test('after two refused logins none is tried until a person clears the latch', async t => {
  const simulator = await startSimulator({ credentials: { password: 'right' } })
  t.teardown(() => simulator.close())
  const store = memorySessionStore()
  const client = clientOf(simulator.url, { store, password: 'wrong' })
  const other = clientOf(simulator.url, { store, password: 'wrong' })
  const logins = () => simulator.asked().filter(({ path }) => path.endsWith('/login')).length

  const first = await Promise.all(Array.from({ length: 50 }, () => failure(client.activate(oneDevice))))
  t.equal(logins(), 1, '50 calls share one refusal')
  t.ok(first.every(error => (error as { kind: string }).kind === 'unauthorized'))
  t.match(first[0], { outcome: 'not-sent', during: 'session login', httpStatus: 401 })
  await failure(other.activate(oneDevice))
  t.equal(logins(), 2)
  for (const one of [client, other, client, other, client]) {
    t.match(await failure(one.activate(oneDevice)), { kind: 'login-latched', outcome: 'not-sent' })
  }
  t.equal(logins(), 2, 'never a third')
  t.equal(simulator.state().locked, false)

  const corrected = clientOf(simulator.url, { store, password: 'right' })
  t.match(
    await failure(corrected.activate(oneDevice)),
    { kind: 'login-latched' },
    'right credentials alone do not clear it',
  )
  await corrected.clearLoginLatch()
  t.ok((await corrected.activate(oneDevice)).requestId)
})

t.test('a refused key is no refused login, and the right one needs nothing cleared', async t => {
  const simulator = await startSimulator({ credentials: { secret: 'right' } })
  t.teardown(() => simulator.close())
  const store = memorySessionStore()
  const client = clientOf(simulator.url, { store, secret: 'wrong' })
  for (let n = 0; n < 4; n += 1) {
    const error = await failure(client.activate(oneDevice))
    t.match(error, { kind: 'unauthorized', outcome: 'not-sent', during: 'token request' })
  }
  t.ok(simulator.asked().every(({ path }) => path.endsWith('/oauth2/token')))
  t.ok((await clientOf(simulator.url, { store, secret: 'right' }).activate(oneDevice)).requestId)
})

t.test('one good login takes back a refused one', async t => {
  const carrier = await startCarrier(t)
  let now = 1_000_000
  const client = clientOf(carrier.baseUrl, { now: () => now })
  for (const _ of [1, 2, 3]) {
    carrier.answers.login = json(401, { errorCode: 'x' })
    t.match(await failure(client.activate(oneDevice)), { kind: 'unauthorized' })
    delete carrier.answers.login
    t.ok(await client.activate(oneDevice))
    now += 20 * minute
  }
})

t.test('a renewed token takes back no refused login', async t => {
  const carrier = await startCarrier(t)
  const store = memorySessionStore()
  let now = 1_000_000
  const client = clientOf(carrier.baseUrl, { store, now: () => now })
  await client.activate(oneDevice)
  now += 55 * minute
  await store.touch('session-secret-1', now)
  Object.assign(carrier.answers, { login: json(401, { errorCode: 'x' }), action: json(401, expired) })
  t.match(await failure(client.activate(oneDevice)), { kind: 'unauthorized', during: 'session login' })
  now += 10 * minute
  t.match(await failure(client.activate(oneDevice)), { kind: 'unauthorized', during: 'session login' })
  t.match(await failure(client.activate(oneDevice)), { kind: 'login-latched' })
  t.equal(carrier.called('login'), 3, 'one good one and two refused')
})

t.test('a login that is refused with 200 is a refused login', async t => {
  const carrier = await startCarrier(t, {
    login: json(200, { errorCode: 'UnifiedWebService.INPUT_INVALID.Password', errorMessage: 'wrong' }),
  })
  const client = clientOf(carrier.baseUrl)
  const refused = { kind: 'unauthorized', outcome: 'not-sent', errorCode: 'UnifiedWebService.INPUT_INVALID.Password' }
  for (const _ of [1, 2]) t.match(await failure(client.activate(oneDevice)), refused)
  t.match(await failure(client.activate(oneDevice)), { kind: 'login-latched' })
  t.equal(carrier.called('login'), 2)
})

t.test('a carrier that is away is no refused login', async t => {
  const carrier = await startCarrier(t, { login: json(503, {}) })
  const client = clientOf(carrier.baseUrl)
  for (const _ of [1, 2, 3, 4]) {
    t.match(await failure(client.activate(oneDevice)), { kind: 'unreachable', outcome: 'not-sent', httpStatus: 503 })
  }
  delete carrier.answers.login
  t.ok(await client.activate(oneDevice))
})

t.test('a store that fails after the call does not make the call fail', async t => {
  const carrier = await startCarrier(t)
  const store = memorySessionStore()
  let now = 1_000_000
  const client = clientOf(carrier.baseUrl, {
    now: () => now,
    store: { ...store, touch: () => Promise.reject(new Error('away')) },
  })
  await client.activate(oneDevice)
  now += 5 * minute
  t.ok(await client.activate(oneDevice))
})
