import t from 'tap'
import Schema from 'typebox/schema'
import { takeTestService } from '../fixtures/service.ts'

t.test('/openapi.json is OpenAPI 3.1 of every route, and /docs is a page that shows it', async t => {
  const service = await takeTestService(t)
  const { status, body } = await service.get('/openapi.json')
  t.equal(status, 200)
  t.match(body.openapi, /^3\.1\./)
  for (const path of [
    '/callbacks/{accountName}/{serviceName}',
    '/health/live',
    '/health/ready',
    '/v1/activations/{requestId}',
    '/v1/activations/{requestId}/targets',
    '/v1/activations/{requestId}/callbacks',
    '/v1/callbacks',
    '/v1/callbacks/{id}',
    '/v1/callbacks/{id}/reprocess',
    '/v1/callbacks/reprocess',
    '/v1/devices/{kind}/{id}',
    '/v1/profiles',
    '/v1/profiles/lookup',
    '/v1/profiles/{iccid}',
    '/v1/profiles/{iccid}/history',
    '/v1/profiles/{iccid}/credential',
    '/v1/summary',
  ]) {
    t.ok(body.paths[path], path)
  }
  t.strictSame(body.paths['/v1/profiles/{iccid}'].get.responses['200'].content['application/json'].schema, {
    $ref: '#/components/schemas/Profile',
  })
  t.match(body.components.schemas.Profile, { properties: { profileRole: Object } })
  const page = await service.get('/docs/')
  t.match(page, { status: 200, body: /swagger-ui/ })
  t.match(page.headers.get('content-security-policy'), /script-src 'self'/)
  const scripts = [...String(page.body).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, at]) => at ?? '')
  t.ok(scripts.length > 0)
  t.strictSame(
    scripts.filter(at => /^https?:/.test(at)),
    [],
    'nothing comes from elsewhere',
  )
})

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape
type Json = any

t.test('what a client gets has a name, and a page of the same has the same', async t => {
  const service = await takeTestService(t)
  const { paths } = (await service.get('/openapi.json')).body
  const answers = Object.entries(paths as Json).flatMap(([path, methods]) =>
    Object.values(methods as Json).map((operation: Json) => [
      path,
      operation.responses['200']?.content?.['application/json']?.schema.$ref?.split('/').at(-1),
    ]),
  )
  const named = answers.filter(([path, name]) => path.startsWith('/v1/') && name !== undefined)
  t.strictSame(
    named.filter(([, name]) => name.endsWith('Page')),
    [
      ['/v1/activations', 'ActivationPage'],
      ['/v1/activations/{requestId}/targets', 'TargetPage'],
      ['/v1/profiles/{iccid}/history', 'ChangePage'],
      ['/v1/profiles', 'ProfilePage'],
      ['/v1/callbacks', 'CallbackPage'],
      ['/v1/activations/{requestId}/callbacks', 'CallbackPage'],
    ],
  )
})

t.test('the document tells every answer, header and name that a client needs', async t => {
  const service = await takeTestService(t)
  const { body: document } = await service.get('/openapi.json')
  const named = (reference: string): Json =>
    reference
      .slice('#/'.length)
      .split('/')
      .reduce((node, key) => node?.[key], document)
  const resolved = (node: Json): Json => {
    if (Array.isArray(node)) return node.map(resolved)
    if (typeof node !== 'object' || node === null) return node
    if (typeof node.$ref === 'string') {
      t.ok(named(node.$ref), `${node.$ref} is there`)
      return resolved(named(node.$ref))
    }
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolved(value)]))
  }
  const operations = Object.entries(resolved(document.paths)).flatMap(([path, methods]) =>
    Object.entries(methods as Json).map(([method, operation]): Json => ({ path, method, operation })),
  )
  t.ok(operations.length >= 22)
  const ids = operations.map(({ operation }) => operation.operationId)
  t.equal(new Set(ids).size, ids.length, 'each operation has a name of its own')
  let examples = 0
  for (const { path, method, operation } of operations) {
    const at = `${method} ${path}`
    t.ok(operation.summary && operation.tags?.length === 1, `${at} says what it is`)
    const statuses = Object.keys(operation.responses)
    const guarded = path.startsWith('/v1/')
    t.strictSame(operation.security, guarded || path === '/metrics' ? [{ token: [] }] : [], at)
    if (guarded) {
      for (const status of ['401', '403', '429', '500', '503']) t.ok(statuses.includes(status), `${at} ${status}`)
      t.match(operation['x-scope'], /^(read|activate|operate|credentials)$/, at)
    }
    if (path === '/metrics') t.strictSame(statuses, ['200', '401', '403', '431', '503'], at)
    t.ok(statuses.includes('431'), `${at} 431`)
    if (path.includes('{') && guarded && method === 'get') t.ok(statuses.includes('404'), `${at} 404`)
    if (operation.requestBody !== undefined) t.ok(statuses.includes('413') && statuses.includes('415'), at)
    t.ok(
      statuses.some(status => status.startsWith('2')),
      `${at} tells its success`,
    )
    for (const [status, response] of Object.entries(operation.responses) as Json) {
      t.not(response.description, 'Default Response', `${at} ${status}`)
      t.ok(response.headers['x-request-id'])
      t.equal('retry-after' in response.headers, status === '429' || status === '503', `${at} ${status}`)
      if (guarded && status !== '401' && status !== '403')
        t.ok(response.headers['ratelimit-remaining'], `${at} ${status}`)
    }
    if (statuses.includes('304')) {
      t.ok(operation.responses['200'].headers.etag && operation.responses['304'].headers.etag, at)
      t.ok(
        operation.parameters.some((parameter: Json) => parameter.name === 'if-none-match'),
        at,
      )
    }
    for (const media of [operation.requestBody, ...Object.values(operation.responses)].flatMap((part: Json) =>
      Object.values(part?.content ?? {}),
    ) as Json[]) {
      if (media.example === undefined) continue
      examples += 1
      t.strictSame(Schema.Errors(media.schema, media.example)[1], [], `${at}: the example is one`)
    }
  }
  t.ok(examples > 60, `${examples} examples`)
})
