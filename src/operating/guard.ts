import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ApiToken, authorize, bearerDigest, digestOf, everything, findToken, grant, type Scope } from './access.ts'
import { isLoopback } from './address-list.ts'
import { HttpError } from './http-error.ts'
import type { KeptFresh } from './keep-fresh.ts'
import type { OpenRequests } from './open-requests.ts'
import type { StoredTokens } from './stored-tokens.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that a token needs for this route. A route under /v1 without one can't be called. */
    scope?: Scope
  }
}

export interface GuardOptions {
  /** Those from `API_TOKENS`: they are valid without the database. */
  configured: readonly ApiToken[]
  /** Those made by command. */
  tokens: Pick<KeptFresh<StoredTokens>, 'last' | 'ageMs' | 'within'>
  openRequests: OpenRequests
  /** True once it is known that there is neither a listener nor a token. */
  tryOut: () => boolean
}

/** A token that was revoked longer ago than this opens nothing, on any replica. */
export const revokedWithinMs = 2_000

/** Runs before every route: in try-out mode loopback peers may do everything; otherwise /v1 requires a token. */
export function guard(options: GuardOptions) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    if (admitKnown(options, request, reply)) done()
    else decide(options, request, reply).then(() => done(), done)
  }
}

/**
 * Admits a known token at once, and otherwise returns false: polls by the thousand should not wait, not even for a
 * promise.
 */
function admitKnown({ configured, tokens, openRequests }: GuardOptions, request: FastifyRequest, reply: FastifyReply) {
  const { scope } = request.routeOptions.config
  const digest = scope === undefined ? null : digestOf(request.headers.authorization)
  if (scope === undefined || digest === null) return false
  const own = findToken(configured, digest)
  const stored = own === null && tokens.ageMs() <= revokedWithinMs ? findToken(tokens.last()?.live ?? [], digest) : null
  const token = own ?? stored
  if (token === null || !token.scopes.includes(scope)) return false
  grant(request, authorize(token, scope))
  if (stored !== null) openRequests.add(stored, reply.raw)
  return true
}

async function decide(options: GuardOptions, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { scope } = request.routeOptions.config
  if (await isTriedOut(options, request)) {
    serveThisMachine(request)
    if (scope !== undefined) options.openRequests.add('try-out', reply.raw)
  } else if (scope !== undefined && !(scope === 'metrics' && isWithoutTokens(options))) {
    await admit(options, scope, request, reply)
  }
}

/**
 * A caller without a token, before it is known whether there are any, waits until it is: a page would take a 401 for
 * the end of its session, although the service is only restarting.
 */
async function isTriedOut(options: GuardOptions, { headers, routeOptions }: FastifyRequest): Promise<boolean> {
  const { scope } = routeOptions.config
  const mayBe = options.configured.length === 0 && options.tokens.last() === null
  if (mayBe && scope !== undefined && headers.authorization === undefined) await storedTokens(options, scope)
  return options.tryOut()
}

function serveThisMachine(request: FastifyRequest): void {
  if (!isFromThisMachine(request)) {
    throw new HttpError(403, 'this service is being tried out and serves its own machine only')
  }
  grant(request, everything)
}

/**
 * A loopback peer that speaks for itself. One that forwards for others (a proxy, a tunnel), or a foreign page whose
 * host name was pointed here, would open the service to everybody.
 */
function isFromThisMachine({ socket, headers }: FastifyRequest): boolean {
  const host = (headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  const isForwarded = headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined
  return isLoopback(socket.remoteAddress ?? '') && !isForwarded && (host === 'localhost' || isLoopback(host))
}

async function admit(options: GuardOptions, scope: Scope, request: FastifyRequest, reply: FastifyReply) {
  const digest = bearerDigest(request.headers.authorization)
  const configured = findToken(options.configured, digest)
  if (configured !== null) return grant(request, authorize(configured, scope))
  const stored = findToken(await storedTokens(options, scope), digest)
  grant(request, authorize(stored, scope))
  if (stored !== null) options.openRequests.add(stored, reply.raw)
}

/**
 * Metrics show no identifier, and are needed most while the database is away: for them, the last known tokens will do.
 */
async function storedTokens({ tokens }: GuardOptions, scope: Scope): Promise<readonly ApiToken[]> {
  const last = tokens.last()
  if (scope === 'metrics' && last !== null) return last.live
  try {
    return (await tokens.within(revokedWithinMs)).live
  } catch (cause) {
    const error = new HttpError(503, 'the token can not be checked now; try again', { 'retry-after': '1' })
    error.cause = cause
    throw error
  }
}

function isWithoutTokens({ configured, tokens }: GuardOptions): boolean {
  return configured.length === 0 && tokens.last()?.any === false
}
