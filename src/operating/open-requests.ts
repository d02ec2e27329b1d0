import type { ServerResponse } from 'node:http'
import type { ApiToken } from './access.ts'

/** The requests under way of tokens that can be revoked: streams and waiting polls last long. */
export interface OpenRequests {
  add(token: ApiToken, response: ServerResponse): void
  /** Breaks off the requests of all other tokens. */
  keepOnly(tokens: readonly ApiToken[]): void
}

export function createOpenRequests(): OpenRequests {
  const byToken = new Map<string, Set<ServerResponse>>()
  return {
    add({ digest }, response) {
      const key = digest.toString('hex')
      const open = byToken.get(key) ?? new Set()
      byToken.set(key, open.add(response))
      response.once('close', () => {
        open.delete(response)
        if (open.size === 0 && byToken.get(key) === open) byToken.delete(key)
      })
    },
    keepOnly(tokens) {
      const kept = new Set(tokens.map(({ digest }) => digest.toString('hex')))
      for (const [key, open] of byToken) {
        if (!kept.has(key)) for (const response of open) response.destroy()
      }
    },
  }
}
