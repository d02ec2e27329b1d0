import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { ExpectWithin } from '../config.ts'
import type { Database } from '../database/pool.ts'
import type { SeenBy } from '../database/seen-by.ts'
import { inTransaction } from '../database/transaction.ts'
import { accessOf, maySee } from '../operating/access.ts'
import { answeredUnchanged, entityTag } from '../operating/etag.ts'
import { ErrorReply, HttpError } from '../operating/http-error.ts'
import { requestIdPattern } from '../operating/patterns.ts'
import { problemOfTime, RecordedActivation } from './activation-request.ts'
import type { ActivationTimes, TimedActivation } from './activation-times.ts'
import { ActivationView, activationView } from './activation-view.ts'
import { findActivation } from './find-activation.ts'
import { recordActivation } from './record-activation.ts'

export interface ActivationRoutesOptions {
  db: Database
  seenBy: SeenBy
  times: ActivationTimes
  expectWithin: ExpectWithin
}

const RequestId = Type.String({ pattern: requestIdPattern, description: "the carrier's requestId" })
const Params = Type.Object({ requestId: RequestId })
const NoQuery = Type.Object({}, { additionalProperties: false })
/** 10,000 devices with three identifiers each, with room for white space. */
const bodyLimit = 8 * 1024 * 1024

export const activationRoutes: FastifyPluginAsyncTypebox<ActivationRoutesOptions> = async (
  app,
  { db, seenBy, times, expectWithin },
) => {
  app.put(
    '/v1/activations/:requestId',
    {
      config: { scope: 'activate' },
      bodyLimit,
      schema: {
        operationId: 'recordActivation',
        summary: 'Record an activation that was sent to ThingSpace by another program',
        description:
          'Claims every callback that came before, in the same transaction. Sending the same request again is safe.',
        tags: ['activations'],
        params: Params,
        querystring: NoQuery,
        body: RecordedActivation,
        response: {
          200: ActivationView,
          201: ActivationView,
          400: ErrorReply,
          401: ErrorReply,
          403: ErrorReply,
          409: ErrorReply,
        },
      },
    },
    async (request, reply) => {
      const { requestId } = request.params
      const { accountName } = request.body
      const { accounts } = accessOf(request)
      if (!maySee(accounts, accountName)) throw new HttpError(403, 'the token may not act for this account')
      const badTime = request.body.submittedAt === undefined ? null : problemOfTime(request.body.submittedAt)
      if (badTime !== null) throw new HttpError(400, `body: submittedAt ${badTime}`)
      const outcome = await inTransaction(db, trx => recordActivation(trx, requestId, request.body, expectWithin))
      if (outcome === 'different') {
        throw new HttpError(409, `another activation is recorded under the requestId ${requestId}`)
      }
      const found = await findActivation(db, requestId, [accountName])
      if (found === null) throw new HttpError(404, 'not found')
      const timed = await times.one(db, found)
      reply.header('etag', activationTag(timed)).code(outcome === 'recorded' ? 201 : 200)
      return activationView(timed)
    },
  )

  app.get(
    '/v1/activations/:requestId',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getActivation',
        summary: 'How far an activation has got',
        tags: ['activations'],
        params: Params,
        querystring: NoQuery,
        response: { 200: ActivationView, 304: Type.Null(), 400: ErrorReply, 401: ErrorReply, 404: ErrorReply },
      },
    },
    async (request, reply) => {
      const { requestId } = request.params
      const { accounts } = accessOf(request)
      const db = seenBy(accounts)
      const found = await findActivation(db, requestId, accounts)
      if (found === null) throw new HttpError(404, 'not found')
      const timed = await times.one(db, found)
      if (answeredUnchanged(request, reply, activationTag(timed))) return reply
      return activationView(timed)
    },
  )
}

/** Of what is shown: a version may come again with other counts, after a restore, and the next release may show more. */
export function activationTag(activation: TimedActivation): string {
  return entityTag(activationView(activation))
}
