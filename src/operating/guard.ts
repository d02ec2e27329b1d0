import type { FastifyRequest } from 'fastify'
import { type ApiToken, authorize, everything, grant, type Scope } from './access.ts'
import { isLoopback } from './address-list.ts'
import { HttpError } from './http-error.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a token must allow for this route. A route under /v1 without one can't be called. */
    scope?: Scope
  }
}

export interface GuardOptions {
  tokens: readonly ApiToken[]
  tryOut: boolean
}

/** Runs before every route: in try-out mode loopback peers may do everything, else /v1 asks for a token. */
export function guard({ tokens, tryOut }: GuardOptions) {
  return async (request: FastifyRequest): Promise<void> => {
    const { scope } = request.routeOptions.config
    if (tryOut) {
      if (!isLoopback(request.socket.remoteAddress ?? '')) {
        throw new HttpError(403, 'this service is being tried out and serves its own machine only')
      }
      grant(request, everything)
    } else if (scope !== undefined) {
      grant(request, authorize(tokens, request.headers.authorization, scope))
    }
  }
}
