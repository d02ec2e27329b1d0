import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { ErrorReply, HttpError } from './http-error.ts'

export interface HealthRoutesOptions {
  /** Why the service can't do its work now, e.g. `the database can't be reached`; empty when it can. */
  findProblems: () => Promise<string[]>
}

const Ok = Type.Object({ status: Type.Literal('ok') })

export const healthRoutes: FastifyPluginAsyncTypebox<HealthRoutesOptions> = async (app, { findProblems }) => {
  app.get(
    '/health/live',
    { schema: { operationId: 'getLive', summary: 'The process runs', tags: ['health'], response: { 200: Ok } } },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/health/ready',
    {
      schema: {
        operationId: 'getReady',
        summary: 'It can do its work: database reached, schema current, commits durable, not shutting down',
        tags: ['health'],
        response: { 200: Ok, 503: ErrorReply },
      },
    },
    async () => {
      const problems = await findProblems()
      if (problems.length > 0) throw new HttpError(503, problems.join('; '), { 'retry-after': '1' })
      return { status: 'ok' as const }
    },
  )
}
