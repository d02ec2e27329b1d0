import type { FastifyRequest } from 'fastify'

/**
 * Query parameters arrive as text. Those that a route's schema calls an integer or a boolean are read as such where
 * they are written plainly; anything else stays text, and the schema refuses it by name.
 */
export async function readQuery(request: FastifyRequest): Promise<void> {
  const { querystring } = (request.routeOptions.schema ?? {}) as { querystring?: QuerySchema }
  const query = request.query as Record<string, unknown>
  for (const [name, { type }] of Object.entries(querystring?.properties ?? {})) {
    const text = query[name]
    if (typeof text !== 'string') continue
    if (type === 'integer' && /^-?\d{1,15}$/.test(text)) query[name] = Number(text)
    if (type === 'boolean' && (text === 'true' || text === 'false')) query[name] = text === 'true'
  }
}

interface QuerySchema {
  properties?: Record<string, { type?: string }>
}
