import t from 'tap'
import { startTestService } from '../fixtures/service.ts'

t.test('/openapi.json is OpenAPI 3.1 of every route, and /docs is a page that shows it', async t => {
  const service = await startTestService(t)
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
  t.match(body.paths['/v1/profiles/{iccid}'].get.responses['200'].content['application/json'].schema, {
    properties: { profileRole: Object },
  })
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
