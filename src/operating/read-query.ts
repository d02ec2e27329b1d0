import type { FastifyReply, FastifyRequest } from 'fastify'
import { HttpError } from './http-error.ts'

/** PostgreSQL can't store it in text, and no name contains it. */
const nul = '\u0000'

/**
 * Query parameters arrive as text. Those that a route's schema calls an integer or a boolean are converted if they are
 * written plainly; anything else stays text, and the schema rejects it by name. 400 for U+0000 and for anything that is
 * not percent-encoded UTF-8: read as something else, it would be answered as if nothing were wrong. 400 as well for a
 * parameter that comes more than once.
 */
export function readQuery(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const problem = request.url.includes('%') ? (misencodedIn(request) ?? nulIn(request)) : undefined
  if (problem === undefined) readAsTyped(request)
  done(problem ?? repeatedIn(request))
}

function readAsTyped({ query: given, routeOptions }: FastifyRequest): void {
  const { querystring } = (routeOptions.schema ?? {}) as { querystring?: QuerySchema }
  const query = given as Record<string, unknown>
  const properties = querystring?.properties
  for (const name in properties) {
    const text = query[name]
    if (typeof text !== 'string') continue
    const type = properties[name]?.type
    if (type === 'integer' && /^-?\d{1,15}$/.test(text)) query[name] = Number(text)
    if (type === 'boolean' && (text === 'true' || text === 'false')) query[name] = text === 'true'
  }
}

/** A badly encoded path does not get this far. */
function misencodedIn({ url }: FastifyRequest): HttpError | undefined {
  const start = url.indexOf('?')
  if (start < 0) return undefined
  const name = url
    .slice(start + 1)
    .split('&')
    .find(parameter => !isEncoded(parameter))
    ?.replace(/=.*/, '')
  return name === undefined ? undefined : new HttpError(400, `query parameter: ${name} is not percent-encoded UTF-8`)
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch (error) {
    if (error instanceof URIError) return false
    throw error
  }
}

function repeatedIn({ query, routeOptions }: FastifyRequest): HttpError | undefined {
  const { querystring } = (routeOptions.schema ?? {}) as { querystring?: QuerySchema }
  for (const name in querystring?.properties) {
    if (!Array.isArray((query as Record<string, unknown>)[name])) continue
    return new HttpError(400, `query parameter: ${name} must not come more than once`)
  }
  return undefined
}

function nulIn({ query, params }: FastifyRequest): HttpError | undefined {
  for (const [place, parameters] of Object.entries({ 'query parameter': query, 'path parameter': params })) {
    const [name] = Object.entries(parameters ?? {}).find(([, text]) => `${text}`.includes(nul)) ?? []
    if (name !== undefined) return new HttpError(400, `${place}: ${name} must not hold the character U+0000`)
  }
  return undefined
}

interface QuerySchema {
  properties?: Record<string, { type?: string }>
}
