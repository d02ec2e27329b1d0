import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { ErrorReply } from './http-error.ts'

export interface MetricsRouteOptions {
  contentType: string
  read: () => Promise<string>
}

export const metricsRoute: FastifyPluginAsyncTypebox<MetricsRouteOptions> = async (app, { contentType, read }) => {
  app.get(
    '/metrics',
    {
      config: { scope: 'metrics' },
      schema: {
        operationId: 'getMetrics',
        summary: 'Metrics in the text format of Prometheus',
        tags: ['health'],
        response: {
          200: { description: 'the metrics', content: { 'text/plain': { schema: Type.String() } } },
          401: ErrorReply,
          403: ErrorReply,
        },
      },
    },
    async (_request, reply) => {
      const page = await read()
      reply.type(contentType)
      return page
    },
  )
}
