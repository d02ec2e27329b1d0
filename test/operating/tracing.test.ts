import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { isTracingWanted } from '../../src/operating/tracing/wanted.ts'
import { until } from '../fixtures/carrier.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startServerProcess } from '../fixtures/server-process.ts'
import { account, send } from '../fixtures/service.ts'

interface Span {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[]
  links?: { traceId: string; spanId: string }[]
}

/** Takes what a collector would, and keeps it. */
async function startCollector(t: Test) {
  const bodies: string[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    bodies.push(body)
    response.setHeader('content-type', 'application/json').end('{}')
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const spans = () =>
    bodies.flatMap(body =>
      JSON.parse(body).resourceSpans.flatMap((resource: { scopeSpans: { spans: Span[] }[] }) =>
        resource.scopeSpans.flatMap(scope => scope.spans),
      ),
    ) as Span[]
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, spans }
}

const serverOn = async (t: Test, env: Record<string, string>) =>
  startServerProcess(t, {
    DATABASE_URL: await createTestDatabase(t),
    SEAL_KEY: Buffer.alloc(32, 7).toString('base64'),
    ...env,
  })

const attribute = (span: Span | undefined, key: string) =>
  span?.attributes.find(one => one.key === key)?.value.stringValue

t.test('the trace of a callback continues into its transaction and the statements of it', async t => {
  const collector = await startCollector(t)
  const server = await serverOn(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '50' })
  const post = (n: number) =>
    send(`${server.url}/callbacks/${account}/CarrierService`, 'POST', {
      body: makeCallback({ requestId: 'traced', ...device(n), password: 'canary-password' }),
      headers: { traceparent: '00-11111111111111111111111111111111-2222222222222222-01' },
    })
  t.match(await Promise.all([1, 2, 3].map(post)), [{ status: 200 }, { status: 200 }, { status: 200 }])
  await send(`${server.url}/v1/devices/iccid/${device(1).iccid}`, 'GET', {})
  await until(collector.spans, spans => spans.some(span => attribute(span, 'http.route') === '/v1/devices/:kind/:id'))

  const spans = collector.spans()
  const requests = spans.filter(
    span => span.name === 'request' && attribute(span, 'http.route') === '/callbacks/:accountName/:serviceName',
  )
  const transactions = spans.filter(span => span.name === 'store callbacks')
  t.equal(requests.length, 3)
  for (const request of requests) {
    const links = spans.filter(span => isWithin(spans, span.spanId, request)).flatMap(span => span.links ?? [])
    const transaction = transactions.find(({ spanId }) => links.some(link => link.spanId === spanId))
    t.ok(transaction, 'leads to its transaction')
    t.ok(
      transaction?.links?.some(({ spanId }) => isWithin(spans, spanId, request)),
      'which leads back',
    )
    const statements = spans.filter(
      span => span.parentSpanId === transaction?.spanId && span.name.startsWith('pg.query'),
    )
    t.ok(
      statements.some(span =>
        /insert into callbacks/.test(attribute(span, 'db.query.text') ?? attribute(span, 'db.statement') ?? ''),
      ),
      'and on to its statements',
    )
    t.notOk(request.traceId.startsWith('1111'), 'a stranger does not choose the trace')
  }

  t.equal(await server.end('SIGTERM'), 0)
  const everything = collector.bodies.join('')
  for (const secret of [device(1).iccid, device(2).eid, 'canary-password']) t.notMatch(everything, secret)
  const lines = server.output.filter(line => line.includes('"msg":"callback"')).map(line => JSON.parse(line))
  t.equal(lines.length, 3)
  for (const { traceId, xRequestId } of lines) {
    t.ok(requests.some(request => request.traceId === traceId))
    t.match(xRequestId, /^[0-9a-f-]{36}$/)
  }
})

/** Whether that span is the request or one below it. */
function isWithin(spans: readonly Span[], spanId: string, request: Span): boolean {
  const span = spans.find(one => one.spanId === spanId)
  if (span === undefined) return false
  return span.spanId === request.spanId || isWithin(spans, span.parentSpanId ?? '', request)
}

t.test('a collector that is away or says nothing harms nobody', async t => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  t.teardown(() => silent.closeAllConnections())
  t.teardown(() => silent.close())
  await once(silent, 'listening')
  const nobody = 'http://127.0.0.1:1'
  for (const url of [nobody, `http://127.0.0.1:${(silent.address() as AddressInfo).port}`]) {
    const server = await serverOn(t, { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: '20' })
    const body = makeCallback({ requestId: 'untraced', ...device(1) })
    t.match(await send(`${server.url}/callbacks/${account}/CarrierService`, 'POST', { body }), { status: 200 })
    t.equal(await server.end('SIGTERM'), 0)
  }
})

t.test('without its variables nothing of OpenTelemetry is loaded', async t => {
  const code = `
    await import('./src/server.ts')
    const { createRequire } = await import('node:module')
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter(file => /opentelemetry|[/]otel[/]/.test(file))
    console.log(JSON.stringify({ msg: 'loaded', loaded }))`
  // But for its interface without any implementation, which prom-client brings along.
  const server = await startServerProcess(
    t,
    { DATABASE_URL: await createTestDatabase(t), SEAL_KEY: Buffer.alloc(32, 7).toString('base64') },
    ['--input-type=module', '--eval', code],
  )
  const line = await until(
    () => server.output.find(text => text.includes('"msg":"loaded"')),
    text => text !== undefined,
  )
  const { loaded } = JSON.parse(line ?? '{}') as { loaded: string[] }
  t.strictSame(
    loaded.filter(file => !file.includes('@opentelemetry/api/')),
    [],
  )
})

t.test('the standard variables say whether there are traces, and what is not here is told', async t => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }
  t.equal(isTracingWanted({}), false)
  t.equal(isTracingWanted(endpoint), true)
  t.equal(isTracingWanted({ OTEL_TRACES_EXPORTER: 'otlp' }), true)
  t.equal(isTracingWanted({ ...endpoint, OTEL_SDK_DISABLED: 'true' }), false)
  t.equal(isTracingWanted({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }), false)
  t.throws(() => isTracingWanted({ OTEL_TRACES_EXPORTER: 'zipkin' }), { message: /OTEL_TRACES_EXPORTER: only otlp/ })
  t.throws(() => isTracingWanted({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }), { message: /http\/json/ })
})
