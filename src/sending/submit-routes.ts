import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { ActivationRequest } from '../activations/activation-request.ts'
import { activationTag } from '../activations/activation-routes.ts'
import type { ActivationTimes } from '../activations/activation-times.ts'
import { ActivationView, activationView } from '../activations/activation-view.ts'
import { findActivation } from '../activations/find-activation.ts'
import type { ExpectWithin } from '../config.ts'
import type { Database } from '../database/pool.ts'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf, maySee } from '../operating/access.ts'
import { ErrorReply, HttpError, refused } from '../operating/http-error.ts'
import { keyPattern, requestIdPattern, submissionPattern } from '../operating/patterns.ts'
import type { ThingSpaceClient } from '../thingspace/client.ts'
import { problemOf } from './check-request.ts'
import { settleByHand } from './settle-by-hand.ts'
import { submitActivation } from './submit-activation.ts'
import { createUnderWay } from './under-way.ts'

export interface SubmitRoutesOptions {
  db: Database
  seenBy: SeenBy
  times: ActivationTimes
  expectWithin: ExpectWithin
  /** null: no credentials for ThingSpace are configured. */
  client: ThingSpaceClient | null
  leaving: AbortSignal
}

/** 10,000 devices with three identifiers each, with room for white space. */
const bodyLimit = 8 * 1024 * 1024
/** The carrier may be slow, and the pace may make us wait first. */
const patienceMs = 300_000

const NoQuery = Type.Object({}, { additionalProperties: false })
const Headers = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: keyPattern,
      description: 'with the same key and body again, the answer is the same activation, and nothing is sent twice',
    }),
  ),
})
const errors = { 400: ErrorReply, 401: ErrorReply, 403: ErrorReply, 409: ErrorReply, 503: ErrorReply }

export const submitRoutes: FastifyPluginAsyncTypebox<SubmitRoutesOptions> = async (app, options) => {
  const { db, times, client } = options
  const underWay = createUnderWay()
  // Its caller may have hung up, and then no connection delays the shutdown.
  app.addHook('onClose', () => underWay.ended())
  const onNotKept = (error: unknown) =>
    app.log.error({ err: error }, 'what ThingSpace answered is not stored; in five minutes its outcome is unknown')
  const onUnknown = (error: unknown) =>
    app.log.warn({ err: error }, 'it is not known whether ThingSpace took a request')

  app.post(
    '/v1/activations',
    {
      config: { scope: 'activate' },
      bodyLimit,
      schema: {
        operationId: 'submitActivation',
        summary: 'Send an activation to ThingSpace, and record it',
        description:
          'Answers when ThingSpace has taken it, with its requestId; a refusal is passed on in its own words. If its ' +
          'answer does not come, or can not be stored yet, the status is `unknown`: then it is never sent again ' +
          'automatically, and gets its requestId once that is known, at the latest from callbacks that leave no doubt or ' +
          "from a person (/settle). The carrier's pace of 100 requests a minute is kept: it waits up to 30 seconds for " +
          'its turn, and answers 429 if that would not be enough.',
        tags: ['activations'],
        querystring: NoQuery,
        headers: Headers,
        body: ActivationRequest,
        response: {
          202: ActivationView,
          ...errors,
          400: refused('The request is not as described, or ThingSpace refuses it in its own words'),
          409: refused('Another request was sent with this Idempotency-Key'),
          429: refused("The token made too many requests, or the carrier's pace would mean too long a wait"),
          502: refused('ThingSpace refuses us, not the request; nothing was recorded'),
          503: refused(
            'Nothing was sent by this request; ask again after Retry-After seconds, with the same Idempotency-Key if there was one. Without Retry-After sending is not configured',
          ),
        },
      },
    },
    async (request, reply) => {
      const { name, accounts } = accessOf(request)
      const { accountName } = request.body
      if (!maySee(accounts, accountName)) throw new HttpError(403, 'the token may not act for this account')
      const problem = problemOf(request.body)
      if (problem !== null) throw new HttpError(400, `body: ${problem}`)
      if (client === null) throw new HttpError(503, notConfigured)
      request.raw.socket.setTimeout(patienceMs)
      const { requestId, asSent } = await submitActivation(
        { ...options, client, underWay, onNotKept, onUnknown },
        { request: request.body, askedBy: name, idempotencyKey: request.headers['idempotency-key'] ?? null },
      )
      try {
        const found = await findActivation(db, requestId, [accountName])
        if (found === null) throw new HttpError(404, 'not found')
        const timed = await times.one(db, found)
        reply.header('etag', activationTag(timed)).header('location', `/v1/activations/${found.request_id}`).code(202)
        return activationView(timed)
      } catch (error) {
        if (asSent === null) throw error
        request.log.warn({ err: error }, 'an activation was sent, and can not be read back')
        reply.header('location', `/v1/activations/${requestId}`).code(202)
        return asSent
      }
    },
  )

  app.post(
    '/v1/activations/:requestId/settle',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'settleActivation',
        summary: 'Say what became of an activation whose outcome is unknown',
        description: 'For a person who has looked it up: under which requestId ThingSpace took it, or that it did not.',
        tags: ['activations'],
        params: Type.Object({ requestId: Type.String({ pattern: submissionPattern }) }),
        querystring: NoQuery,
        body: Type.Union([
          Type.Object({ requestId: Type.String({ pattern: requestIdPattern }) }, { additionalProperties: false }),
          Type.Object({ taken: Type.Literal(false) }, { additionalProperties: false }),
        ]),
        response: { 200: ActivationView, 204: Type.Null(), ...errors, 404: ErrorReply },
      },
    },
    async (request, reply) => {
      const { accounts } = accessOf(request)
      const requestId = 'requestId' in request.body ? request.body.requestId : null
      const accountName = await settleByHand(options, request.params.requestId, accounts, requestId)
      if (requestId === null) return reply.code(204).send(null)
      const found = await findActivation(db, requestId, [accountName])
      if (found === null) throw new HttpError(404, 'not found')
      const timed = await times.one(db, found)
      reply.header('etag', activationTag(timed))
      return activationView(timed)
    },
  )
}

const notConfigured =
  'sending is not configured: THINGSPACE_KEY, THINGSPACE_SECRET, THINGSPACE_USERNAME and THINGSPACE_PASSWORD are not set'
