import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** A strong tag (RFC 9110) computed from everything that decides what is shown. */
export function entityTag(parts: unknown): string {
  return `"${hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 22)}"`
}

/** A part of each tag that is made of rows instead of what is shown: a release that shows more of them is no 304. */
export function shapeOf(schema: object): string {
  return hash('sha256', JSON.stringify(schema), 'base64url').slice(0, 8)
}

/**
 * For answers to GET and HEAD that carry no tag of their own: a tag of what is sent, and 304 to who has it already. Where the
 * version of what is shown is known, `answeredUnchanged` is cheaper.
 */
export function tagAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: null, payload: unknown) => void,
): void {
  const isAsked = request.method === 'GET' || request.method === 'HEAD'
  const isState = isAsked && reply.statusCode === 200 && request.url.startsWith('/v1/')
  const isLeftAlone =
    !isState || typeof payload !== 'string' || reply.hasHeader('cache-control') || reply.hasHeader('etag')
  done(null, isLeftAlone ? payload : tagged(request, reply, payload))
}

function tagged(request: FastifyRequest, reply: FastifyReply, payload: string): string | null {
  const tag = entityTag(payload)
  reply.header('etag', tag).header('cache-control', 'private, no-cache')
  if (!knows(request, tag)) return payload
  reply.code(304).removeHeader('content-type')
  // What HEAD is answered is measured after this; what GET is, would be said to be 0 bytes long.
  return request.method === 'HEAD' ? '' : null
}

/** Sets the tag; true when the caller already has this very state and 304 was sent. */
export function answeredUnchanged(request: FastifyRequest, reply: FastifyReply, tag: string): boolean {
  reply.header('etag', tag).header('cache-control', 'private, no-cache')
  if (!knows(request, tag)) return false
  reply.code(304).send()
  return true
}

function knows(request: FastifyRequest, tag: string): boolean {
  const known = request.headers['if-none-match']?.split(',').map(candidate => candidate.trim().replace(/^W\//, ''))
  return known !== undefined && (known.includes('*') || known.includes(tag))
}
