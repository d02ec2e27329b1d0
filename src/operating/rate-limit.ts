import fastifyRateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { accessOf, everything } from './access.ts'
import { HttpError } from './http-error.ts'
import type { RateLimits } from './read-rate-limits.ts'

/**
 * Limits how much one token may ask of this process per minute. A request counts when it begins: one that waits for a
 * change counts once however long it waits, and so does a stream. Requests that no token guards are not counted, nor
 * are metrics, nor the try-out mode. Runs after the guard.
 */
export async function limitAsking(app: FastifyInstance, limits: RateLimits): Promise<void> {
  const limitOf = (request: FastifyRequest) => {
    const own = limits.byToken[accessOf(request).name]
    return own === undefined ? limits.default : own
  }
  await app.register(fastifyRateLimit, {
    global: false,
    enableDraftSpec: true,
    timeWindow: 60_000,
    // A function would be awaited, and most installations need none.
    max: Object.keys(limits.byToken).length === 0 ? (limits.default ?? 0) : request => limitOf(request) ?? 0,
    keyGenerator: request => accessOf(request).name,
    errorResponseBuilder: () =>
      new HttpError(429, 'this token made too many requests; ask again after Retry-After seconds'),
  })
  const count = app.rateLimit()
  app.addHook('onRequest', async function (request, reply) {
    const { scope } = request.routeOptions.config
    if (scope === undefined || scope === 'metrics') return
    if (accessOf(request) === everything || limitOf(request) === null) return
    await count.call(this, request, reply)
  })
}
