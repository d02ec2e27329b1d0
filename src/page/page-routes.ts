import { createHash } from 'node:crypto'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { type PageFile, readIndex, readPageFiles } from './page-files.ts'

export interface PageRoutesOptions {
  /** True when nobody needs to sign in. */
  tryOut: () => boolean
}

/**
 * `GET /`: the operator's page. It is the same for everybody and contains no data: it gets that from the API, with the
 * token of the person who signs in.
 */
export const pageRoutes: FastifyPluginAsync<PageRoutesOptions> = async (app, { tryOut }) => {
  const { open, closed, importMap } = readIndex()
  const policy = contentPolicy(importMap)
  app.get('/', { schema: { hide: true } }, async (request, reply) => {
    reply.header('content-security-policy', policy)
    reply.header('referrer-policy', 'no-referrer').header('cross-origin-opener-policy', 'same-origin')
    return sendFile(request, reply, tryOut() ? open : closed)
  })
  for (const [url, file] of readPageFiles()) {
    app.get(url, { schema: { hide: true } }, async (request, reply) => sendFile(request, reply, file))
  }
}

function sendFile({ headers }: FastifyRequest, reply: FastifyReply, { type, plain, gzipped, etag }: PageFile) {
  // Revalidated at every visit and answered with 304, so that after an update nobody sees half of the old page.
  reply.header('cache-control', 'no-cache').header('etag', etag).header('vary', 'accept-encoding')
  reply.header('x-content-type-options', 'nosniff')
  if (headers['if-none-match']?.includes(etag)) return reply.code(304).send()
  reply.type(type)
  if (!/\bgzip\b/.test(headers['accept-encoding'] ?? '')) return reply.send(plain)
  return reply.header('content-encoding', 'gzip').send(gzipped())
}

/** Nothing but our own files, and the one script in the page that has this digest. */
function contentPolicy(script: string): string {
  const digest = createHash('sha256').update(script).digest('base64')
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${digest}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
