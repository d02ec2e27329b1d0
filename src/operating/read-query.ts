import type { FastifyRequest } from 'fastify'
import { HttpError } from './http-error.ts'

/** No text in PostgreSQL holds it, and no name has it. */
const nul = '\u0000'

/**
 * Query parameters arrive as text. Those that a route's schema calls an integer or a boolean are read as such where
 * they are written plainly; anything else stays text, and the schema refuses it by name.
 * Throws 400 for the character that no text may hold.
 */
export async function readQuery(request: FastifyRequest): Promise<void> {
  const { querystring } = (request.routeOptions.schema ?? {}) as { querystring?: QuerySchema }
  const query = request.query as Record<string, unknown>
  refuseNul('query parameter', query)
  refuseNul('path parameter', (request.params ?? {}) as Record<string, unknown>)
  for (const [name, { type }] of Object.entries(querystring?.properties ?? {})) {
    const text = query[name]
    if (typeof text !== 'string') continue
    if (type === 'integer' && /^-?\d{1,15}$/.test(text)) query[name] = Number(text)
    if (type === 'boolean' && (text === 'true' || text === 'false')) query[name] = text === 'true'
  }
}

function refuseNul(place: string, parameters: Record<string, unknown>): void {
  const [name] = Object.entries(parameters).find(([, value]) => typeof value === 'string' && value.includes(nul)) ?? []
  if (name !== undefined) throw new HttpError(400, `${place}: ${name} must not hold the character U+0000`)
}

interface QuerySchema {
  properties?: Record<string, { type?: string }>
}
