import { createRequire } from 'node:module'
import { FastifyOtelInstrumentation } from '@fastify/otel'
import { context, DiagLogLevel, diag, ROOT_CONTEXT, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { Logger } from 'pino'
import { onlyWhatMayBeTold } from './only-what-may-be-told.ts'
import type { Tracing } from './tracing.ts'

const stopWithinMs = 2_000
const tellEveryMs = 60_000

/**
 * Traces, configured by OpenTelemetry's standard variables: requests by Fastify's own instrumentation, statements by
 * that of pg. Requests from outside start a trace of their own, since a stranger's header must decide nothing here;
 * `OTEL_PROPAGATORS=tracecontext` lets callers continue theirs.
 */
export function startTracing(env: NodeJS.ProcessEnv): Tracing {
  const provider = new NodeTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'thingspace-callback-receiver' }))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(onlyWhatMayBeTold(new OTLPTraceExporter()))],
  })
  provider.register(env.OTEL_PROPAGATORS?.includes('tracecontext') ? {} : { propagator: null })
  registerInstrumentations({
    tracerProvider: provider,
    instrumentations: [
      new FastifyOtelInstrumentation({
        registerOnInitialization: true,
        recordExceptions: false,
        instrumentHooks: false,
        ignorePaths: ({ url }) => url.startsWith('/health') || url === '/metrics',
      }),
      new PgInstrumentation({ requireParentSpan: true }),
    ],
  })
  patchPg()
  const tracer = trace.getTracer('thingspace-callback-receiver')
  const came = new WeakMap<object, Span>()

  return {
    ids() {
      const span = trace.getActiveSpan()?.spanContext()
      return span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId }
    },
    remember(callback) {
      const span = trace.getActiveSpan()
      if (span !== undefined) came.set(callback, span)
    },
    async transaction(callbacks, work) {
      const requests = callbacks.flatMap(callback => came.get(callback) ?? [])
      const [first] = requests
      const parent = first === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, first)
      const links = requests.map(request => ({ context: request.spanContext() }))
      const attributes = { 'thingspace.callbacks': callbacks.length }
      const span = tracer.startSpan('store callbacks', { links, attributes }, parent)
      for (const request of requests) request.addLink({ context: span.spanContext() })
      try {
        return await context.with(trace.setSpan(parent, span), work)
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR })
        throw error
      } finally {
        span.end()
      }
    },
    tellOf: log => tellOfFailures(log),
    async stop() {
      const timer = new Promise<void>(resolve => setTimeout(resolve, stopWithinMs).unref())
      await Promise.race([provider.shutdown().catch(() => undefined), timer])
    },
  }
}

/**
 * The instrumentation does not notice modules loaded by import, so each is shown to it once, through the hook that it
 * watches.
 */
function patchPg(): void {
  const require = createRequire(import.meta.url)
  require('pg')
  createRequire(require.resolve('pg'))('pg-pool')
}

/** That it fails, but not how: messages may contain addresses and answers. At most once a minute. */
function tellOfFailures(log: Logger): void {
  let toldAt = Number.NEGATIVE_INFINITY
  const tell = () => {
    if (performance.now() - toldAt < tellEveryMs) return
    toldAt = performance.now()
    log.warn('traces can not be exported: see OTEL_EXPORTER_OTLP_ENDPOINT')
  }
  const nothing = () => undefined
  const logger = { error: tell, warn: tell, info: nothing, debug: nothing, verbose: nothing }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
}
