import { createHash } from 'node:crypto'
import http from 'node:http'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { makeCallback } from '../fixtures/make-callback.ts'
import { type Answer, account, startTestService, type TestService } from '../fixtures/service.ts'

const digest = (secret: string) => createHash('sha256').update(secret).digest('hex')
const entry = (name: string, scopes = 'read') => `${name}:${scopes}:*:${digest(`secret-${name}`)}`
const bearer = (name: string) => ({ authorization: `Bearer secret-${name}` })
const names = ['poller', 'waiter', 'dashboard', 'nightly']
const env = {
  THINGSPACE_ACCOUNT: account,
  CALLBACK_USERNAME: 'name',
  CALLBACK_PASSWORD: 'password',
  API_TOKENS: [...names.map(name => entry(name)), entry('prometheus', 'metrics')].join(';'),
  RATE_LIMIT: '4,dashboard=6,nightly=off',
}

const limits = ({ headers }: Answer) =>
  ['limit', 'remaining', 'reset'].map(name => Number(headers.get(`ratelimit-${name}`) ?? Number.NaN))

async function statuses(service: TestService, count: number, path: string, name: string): Promise<number[]> {
  const found: number[] = []
  for (let n = 0; n < count; n += 1) found.push((await service.get(path, bearer(name))).status)
  return found
}

t.test('a token that asks too much is told when to ask again, and nobody else is held up', async t => {
  const service = await startTestService(t, env)
  const asked = ['/v1/callbacks', '/v1/activations', '/v1/profiles/89', '/v1/no-such-route', '/v1/callbacks?limit=x']
  for (const [at, path] of asked.entries()) {
    const answer = await service.get(path, bearer('poller'))
    if (path === '/v1/no-such-route') t.match(answer, { status: 404 }, 'what is no route is not counted')
    else t.match(limits(answer).slice(0, 2), [4, at < 3 ? 3 - at : 0], `${path} counts`)
  }
  const over = await service.get('/v1/callbacks', bearer('poller'))
  t.match(over, { status: 429, body: { errorCode: '429', errorMessage: /Retry-After/ } })
  t.strictSame(Object.keys(over.body), ['errorCode', 'errorMessage'])
  const [, , reset] = limits(over)
  t.equal(over.headers.get('retry-after'), String(reset))
  t.ok(reset !== undefined && reset > 0 && reset <= 60)
  t.ok(over.headers.get('x-request-id'))

  t.strictSame(await statuses(service, 7, '/v1/callbacks', 'dashboard'), [...Array(6).fill(200), 429], 'its own limit')
  t.strictSame(await statuses(service, 9, '/v1/callbacks', 'nightly'), Array(9).fill(200), 'and none')
  t.strictSame(await statuses(service, 9, '/metrics', 'prometheus'), Array(9).fill(200), 'metrics are not limited')
  for (let n = 0; n < 9; n += 1) {
    const message = makeCallback({ requestId: `request-${n}`, username: 'name', password: 'password' })
    t.match(await service.callback(message), { status: 200 }, 'receiving is never limited by asking')
    t.match(await service.get('/health/live', bearer('poller')), { status: 200 })
    t.match(await service.get('/v1/callbacks'), { status: 401 }, 'who has no token is told so')
  }
})

t.test('a request that waits and a stream count once, when they begin', async t => {
  const service = await startTestService(t, env)
  const waiting = service.get('/v1/changes?after=now&wait=30', bearer('waiter'))
  const stream = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http
      .get(`${service.url}/v1/changes/stream`, { headers: bearer('waiter'), agent: false }, resolve)
      .on('error', reject)
  })
  stream.resume()
  t.teardown(() => stream.destroy())
  t.match(stream.headers, { 'ratelimit-limit': '4', 'content-type': /event-stream/ })
  const message = makeCallback({ username: 'name', password: 'password' })
  while ((await service.get('/v1/changes', bearer('nightly'))).body.items.length === 0) await service.callback(message)
  const { status, body } = await waiting
  t.match({ status, changes: body.items.length > 0 }, { status: 200, changes: true })
  t.strictSame(limits(await service.get('/v1/changes', bearer('waiter'))).slice(0, 2), [4, 1])
})

t.test('limits are requests a minute, for all tokens or by name', async t => {
  t.strictSame(readConfig({}).rateLimits, { default: 60_000, byToken: {} })
  t.strictSame(readConfig({ RATE_LIMIT: 'off' }).rateLimits, { default: null, byToken: {} })
  t.strictSame(readConfig({ RATE_LIMIT: '5, dashboard = 7,nightly=off' }).rateLimits, {
    default: 5,
    byToken: { dashboard: 7, nightly: null },
  })
  t.strictSame(
    readConfig({ RATE_LIMIT: 'dashboard=600000' }).rateLimits,
    { default: 60_000, byToken: { dashboard: 600_000 } },
    'one that has its own leaves the others theirs',
  )
  for (const RATE_LIMIT of ['0', '-1', 'many', '5,dashboard=', '1.5']) {
    t.throws(() => readConfig({ RATE_LIMIT }), /RATE_LIMIT: requests a minute/, RATE_LIMIT)
  }
})
