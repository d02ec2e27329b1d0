import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { sql } from 'kysely'
import Type from 'typebox'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { ErrorReply, HttpError } from '../operating/http-error.ts'
import { findPage, Page, pageQuery } from '../operating/page.ts'
import { requestIdPattern } from '../operating/patterns.ts'
import { findActivation } from './find-activation.ts'
import { type FoundTarget, Result, TargetView, targetView } from './target-view.ts'

export interface TargetRoutesOptions {
  seenBy: SeenBy
  cursors: Cursors
}

export const targetRoutes: FastifyPluginAsyncTypebox<TargetRoutesOptions> = async (app, { seenBy, cursors }) => {
  app.get(
    '/v1/activations/:requestId/targets',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listTargets',
        summary: 'The devices of an activation, as they were asked for; ?result=pending lists the stragglers',
        tags: ['activations'],
        params: Type.Object({ requestId: Type.String({ pattern: requestIdPattern }) }),
        querystring: Type.Object({ result: Type.Optional(Result), ...pageQuery }, { additionalProperties: false }),
        response: { 200: Page(TargetView), 400: ErrorReply, 401: ErrorReply, 404: ErrorReply },
      },
    },
    async request => {
      const { result, ...page } = request.query
      const { accounts } = accessOf(request)
      const activation = await findActivation(seenBy(accounts), request.params.requestId, accounts)
      if (activation === null) throw new HttpError(404, 'not found')
      const { rows, next, prev } = await findPage<FoundTarget>(cursors, page, {
        listOf: ['targets', activation.id, result],
        order: ['t.number'],
        keyOf: row => [row.number],
        find: async (condition, order, limit) => {
          const found = await sql<FoundTarget>`
            select t.*, t.overdue or (t.settled_at is null and ${activation.overdue_now}) as overdue_now
            from targets t
            where t.activation_id = ${activation.id} and ${condition}
              and ${result === undefined ? sql`true` : sql`t.result = ${result}`}
            order by ${order} limit ${limit}`.execute(seenBy(accounts))
          return found.rows
        },
      })
      return { items: rows.map(targetView), next, prev }
    },
  )
}
