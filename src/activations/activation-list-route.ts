import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { answeredUnchanged, entityTag } from '../operating/etag.ts'
import { ErrorReply } from '../operating/http-error.ts'
import { Page, pageQuery, ViewTime } from '../operating/page.ts'
import type { ActivationTimes } from './activation-times.ts'
import { ActivationStatus, ActivationView, activationView } from './activation-view.ts'
import { listActivations } from './list-activations.ts'

export interface ActivationListRouteOptions {
  seenBy: SeenBy
  times: ActivationTimes
  cursors: Cursors
}

export const activationListRoute: FastifyPluginAsyncTypebox<ActivationListRouteOptions> = async (app, options) => {
  const { seenBy, times, cursors } = options
  app.get(
    '/v1/activations',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listActivations',
        summary: 'Activations, newest first; ?overdue=true lists those to look at',
        tags: ['activations'],
        querystring: Type.Object(
          {
            accountName: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
            operation: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
            status: Type.Optional(ActivationStatus),
            overdue: Type.Optional(Type.Boolean()),
            submittedAfter: ViewTime,
            submittedBefore: Type.Optional(Type.String({ format: 'date-time', description: 'RFC 3339, exclusive' })),
            ...pageQuery,
          },
          { additionalProperties: false },
        ),
        response: { 200: Page(ActivationView), 304: Type.Null(), 400: ErrorReply, 401: ErrorReply, 403: ErrorReply },
      },
    },
    async (request, reply) => {
      const { limit, cursor, ...filter } = request.query
      const { accounts } = accessOf(request)
      const { rows, next, prev } = await listActivations(seenBy(accounts), cursors, filter, accounts, { limit, cursor })
      const timed = await times.all(seenBy(accounts), rows)
      const shown = { items: timed.map(activationView), next, prev }
      return answeredUnchanged(request, reply, entityTag(shown)) ? reply : shown
    },
  )
}
