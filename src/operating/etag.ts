import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** A strong tag (RFC 9110) of everything that decides what is shown. */
export function entityTag(parts: unknown): string {
  return `"${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)}"`
}

/** Sets the tag; true when the caller has this very state already, and 304 was sent. */
export function answeredUnchanged(request: FastifyRequest, reply: FastifyReply, tag: string): boolean {
  reply.header('etag', tag).header('cache-control', 'private, no-cache')
  const known = request.headers['if-none-match']
  if (known === undefined) return false
  const tags = known.split(',').map(candidate => candidate.trim().replace(/^W\//, ''))
  if (!tags.includes('*') && !tags.includes(tag)) return false
  reply.code(304).send()
  return true
}
