import type { ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { ApiToken } from './access.ts'

/** The requests under way of tokens that can be revoked: streams and waiting polls last long. */
export interface OpenRequests {
  add(token: ApiToken, response: ServerResponse): void
  /** Breaks off the lasting requests of all other tokens. Called again and again, it gets at each of them. */
  keepOnly(tokens: readonly ApiToken[]): void
}

/** What takes no longer is let finish. */
const briefMs = 1_000

export function createOpenRequests(): OpenRequests {
  const open = new Map<ServerResponse, { token: string; since: number }>()
  return {
    add({ digest }, response) {
      if (response.destroyed) return
      open.set(response, { token: digest.toString('hex'), since: performance.now() })
      response.once('close', () => open.delete(response))
    },
    keepOnly(tokens) {
      const kept = new Set(tokens.map(({ digest }) => digest.toString('hex')))
      const before = performance.now() - briefMs
      for (const [response, { token, since }] of open) {
        if (!kept.has(token) && since < before) response.destroy()
      }
    },
  }
}
