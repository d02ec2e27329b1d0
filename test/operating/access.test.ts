import { createHash } from 'node:crypto'
import http from 'node:http'
import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, takeTestService } from '../fixtures/service.ts'

const other = '0000999999-00001'
const digest = (secret: string) => createHash('sha256').update(secret).digest('hex')
const env = {
  THINGSPACE_ACCOUNT: account,
  CALLBACK_USERNAME: 'name',
  CALLBACK_PASSWORD: 'password',
  API_TOKENS: [
    `all:read,activate:*:${digest('secret-all')}`,
    `reader:read:${account}:${digest('secret-reader')}`,
    `stranger:read,activate:${other}:${digest('secret-stranger')}`,
    `metrics:metrics:*:${digest('secret-metrics')}`,
  ].join(';'),
}
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })

t.test('every route under /v1 asks for a token', async t => {
  const service = await takeTestService(t, env)
  const { body } = await service.get('/openapi.json')
  const routes = Object.entries(body.paths as Record<string, Record<string, unknown>>).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => ({ method: method.toUpperCase(), path: path.replace(/\{\w+\}/g, 'eid-123') })),
  )
  const guarded = routes.filter(({ path }) => path.startsWith('/v1/'))
  t.ok(guarded.length >= 4)
  for (const { method, path } of guarded) {
    const without = await service.call(method, path)
    t.match({ method, path, ...without }, { method, path, status: 401, body: { errorCode: '401' } })
    t.equal(without.headers.get('www-authenticate'), 'Bearer')
    t.match(await service.call(method, path, { headers: bearer('wrong') }), { status: 401 })
    t.match(await service.call(method, path, { headers: { authorization: 'Basic YTpi' } }), { status: 401 })
    t.match(await service.call(method, path, { headers: bearer('secret-metrics') }), { status: 403 }, 'lacks the scope')
  }
  for (const path of ['/health/live', '/health/ready', '/openapi.json']) {
    t.match(await service.get(path), { status: 200 }, `${path} needs none`)
  }
})

t.test('a token sees only its accounts: a foreign id and an unknown id answer alike', async t => {
  const service = await takeTestService(t, env)
  const devices = [{ deviceIds: [{ kind: 'iccid', id: device(1).iccid }] }]
  const put = (secret: string, accountName: string) =>
    service.call('PUT', '/v1/activations/request-1', { headers: bearer(secret), body: { accountName, devices } })
  t.match(await put('secret-stranger', account), { status: 403, body: { errorMessage: /account/ } })
  t.match(await put('secret-reader', account), { status: 403, body: { errorMessage: /scope activate/ } })
  t.match(await put('secret-all', account), { status: 201 })
  const credentials = { username: 'name', password: 'password' }
  t.match(await service.callback(makeCallback({ requestId: 'request-1', ...device(1), ...credentials })), {
    status: 200,
  })
  const paths = ['/v1/activations/request-1', `/v1/profiles/${device(1).iccid}`, `/v1/devices/eid/${device(1).eid}`]
  for (const path of paths) {
    t.match(await service.get(path, bearer('secret-reader')), { status: 200 }, path)
    t.match(await service.get(path, bearer('secret-all')), { status: 200 }, path)
    const foreign = await service.get(path, bearer('secret-stranger'))
    const unknown = await service.get(path.replace(/[^/]*$/, 'no-such-id'), bearer('secret-stranger'))
    t.strictSame([foreign.status, foreign.body], [unknown.status, unknown.body], path)
    t.match(foreign, { status: 404 })
    const tag = (await service.get(path, bearer('secret-reader'))).headers.get('etag') ?? ''
    t.match(await service.get(path, { ...bearer('secret-stranger'), 'if-none-match': tag }), { status: 404 })
  }
})

t.test('in try-out mode nobody is served through a proxy, a tunnel or a foreign name', async t => {
  const service = await takeTestService(t)
  const port = new URL(service.url).port
  const ask = (headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve, reject) => {
      http
        .get(`${service.url}/v1/callbacks`, { headers }, answer => resolve(answer.resume().statusCode))
        .on('error', reject)
    })
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, '[::1]', 'localhost']) {
    t.equal(await ask({ host }), 200, host)
  }
  t.equal(await ask({ host: 'evil.example' }), 403)
  t.equal(await ask({ host: `127.0.0.1.evil.example:${port}` }), 403)
  t.equal(await ask({ 'x-forwarded-for': '203.0.113.9' }), 403)
  t.equal(await ask({ forwarded: 'for=203.0.113.9' }), 403)
})
