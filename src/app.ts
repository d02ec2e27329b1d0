import fastifySwagger from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { TSchema } from 'typebox'
import { activationListRoute } from './activations/activation-list-route.ts'
import { activationRoutes } from './activations/activation-routes.ts'
import { createActivationTimes } from './activations/activation-times.ts'
import { targetRoutes } from './activations/target-routes.ts'
import type { ChangeFeed } from './changes/change-feed.ts'
import { changeRoutes } from './changes/change-routes.ts'
import type { Config } from './config.ts'
import type { Database } from './database/pool.ts'
import type { SeenBy } from './database/seen-by.ts'
import type { KnownCallers } from './known-callers.ts'
import { decorateRequests } from './operating/access.ts'
import { addressList } from './operating/address-list.ts'
import { answerError, answerNotFound, answerUnreadableRequest } from './operating/answer-error.ts'
import { compileExactly } from './operating/compile-exactly.ts'
import type { Cursors } from './operating/cursor.ts'
import { tagAnswer } from './operating/etag.ts'
import { guard } from './operating/guard.ts'
import { healthRoutes } from './operating/health-routes.ts'
import type { Metrics } from './operating/metrics.ts'
import { metricsRoute } from './operating/metrics-route.ts'
import { docs, openApi } from './operating/openapi.ts'
import { limitAsking } from './operating/rate-limit.ts'
import { readQuery } from './operating/read-query.ts'
import { requestId } from './operating/request-id.ts'
import { serializeOnce } from './operating/serialize-once.ts'
import { ambiguityOf, passOverExpectations, serverOptions } from './operating/strict-http.ts'
import { pageRoutes } from './page/page-routes.ts'
import { credentialRoute } from './profiles/credential-route.ts'
import { lookupRoute } from './profiles/lookup-route.ts'
import { profileListRoutes } from './profiles/profile-list-routes.ts'
import { profileRoutes } from './profiles/profile-routes.ts'
import { type CallbackRouteOptions, callbackRoute } from './receiving/callback-route.ts'
import type { Keys } from './receiving/incoming-callback.ts'
import { createListeners } from './receiving/listeners.ts'
import { storedCallbackRoutes } from './receiving/stored-callback-routes.ts'
import { submitRoutes } from './sending/submit-routes.ts'
import { summaryRoute } from './summary/summary-route.ts'
import type { ThingSpaceClient } from './thingspace/client.ts'

export interface AppParts {
  config: Config
  callers: KnownCallers
  log: FastifyBaseLogger
  /** A pool of its own, so that recording and sending never starve receiving. */
  db: Database
  /** For queries: each sees its own accounts only. These have connections of their own, too. */
  seenBy: SeenBy
  take: CallbackRouteOptions['take']
  isFull: () => boolean
  /** null until the database has been reached for the first time. */
  keys: () => Keys | null
  cursors: Cursors
  metrics: Metrics
  /** The metrics page, covering all processes on this port. */
  readMetrics: () => Promise<string>
  feed: ChangeFeed
  /** null: no credentials for ThingSpace are configured. */
  client: ThingSpaceClient | null
  /** Aborted when the service shuts down. */
  leaving: AbortSignal
  findProblems: () => Promise<string[]>
}

/** Table of contents of everything the service answers. Nothing is decided here. */
export async function createApp(parts: AppParts): Promise<FastifyInstance> {
  const {
    config,
    callers,
    log,
    db,
    seenBy,
    take,
    isFull,
    keys,
    cursors,
    metrics,
    readMetrics,
    feed,
    client,
    leaving,
    findProblems,
  } = parts
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'xRequestId' }),
    genReqId: requestId,
    trustProxy: config.trustedProxies.length > 0 ? config.trustedProxies : false,
    http: serverOptions(config.http),
    requestTimeout: config.http.requestTimeout,
    connectionTimeout: config.http.requestTimeout + 5_000,
    keepAliveTimeout: 75_000,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // As long as may come at all: how long each may be is said by its route, and what is too long is refused by its name.
    routerOptions: { maxParamLength: config.http.maxHeaderSize },
    schemaController: { compilersFactory: { buildSerializer: serializeOnce } },
    clientErrorHandler: answerUnreadableRequest,
    frameworkErrors: answerError,
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.server.maxConnections = config.http.maxConnections
  passOverExpectations(app.server)

  app.removeContentTypeParser('text/plain')
  decorateRequests(app)
  app.setValidatorCompiler<TSchema>(compileExactly)
  app.setErrorHandler(answerError)
  app.setNotFoundHandler(answerNotFound)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done(ambiguityOf(request.raw))
  })
  endConnectionsWhenClosing(app)
  app.addHook('onSend', tagAnswer)
  app.addHook('preValidation', readQuery)
  app.addHook('onRequest', guard({ ...callers, configured: config.tokens }))
  await limitAsking(app, config.rateLimits)

  await app.register(fastifySwagger, openApi)
  await app.register(fastifySwaggerUi, docs)
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())

  await app.register(pageRoutes, { tryOut: callers.tryOut })
  await app.register(healthRoutes, { findProblems })
  await app.register(metricsRoute, { read: readMetrics })
  await app.register(callbackRoute, {
    take,
    allowedSources: addressList(config.allowedSources),
    findListener: createListeners(config.listeners, callers.listeners),
    areListenersKnown: callers.areListenersKnown,
    tryOut: callers.tryOut,
    isFull,
    bodyLimit: config.callbackBodyLimit,
    logPerSecond: config.logCallbacksPerSecond,
    metrics,
  })
  const times = createActivationTimes()
  await app.register(activationRoutes, { db, seenBy, times, expectWithin: config.expectWithin })
  await app.register(submitRoutes, { db, seenBy, times, expectWithin: config.expectWithin, client, leaving })
  await app.register(activationListRoute, { seenBy, times, cursors })
  await app.register(targetRoutes, { seenBy, cursors })
  await app.register(profileRoutes, { seenBy, cursors })
  await app.register(profileListRoutes, { seenBy, cursors })
  await app.register(lookupRoute, { seenBy })
  await app.register(summaryRoute, { seenBy })
  await app.register(credentialRoute, { db, seenBy, keys })
  await app.register(changeRoutes, { feed, cursors })
  await app.register(storedCallbackRoutes, { db, seenBy, cursors, keys })
  return app
}

/**
 * While the service shuts down, each answer ends its connection: one that is kept alive would hold up the shutdown
 * until its time-out, for more than a minute.
 */
function endConnectionsWhenClosing(app: FastifyInstance): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })
}
