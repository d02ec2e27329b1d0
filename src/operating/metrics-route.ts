import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Registry } from 'prom-client'
import Type from 'typebox'
import { ErrorReply } from './http-error.ts'

export interface MetricsRouteOptions {
  read: () => Promise<string>
}

export const metricsRoute: FastifyPluginAsyncTypebox<MetricsRouteOptions> = async (app, { read }) => {
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
      reply.type(Registry.PROMETHEUS_CONTENT_TYPE)
      return page
    },
  )
}
