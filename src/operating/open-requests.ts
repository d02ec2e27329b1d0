import type { ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { ApiToken } from './access.ts'

/**
 * The requests under way of tokens that can be revoked, and those of the try-out mode: streams and waiting polls last
 * long.
 */
export interface OpenRequests {
  add(by: Bearer, response: ServerResponse): void
  /**
   * Breaks off the long-lasting requests of all others. It is called repeatedly, and so reaches each of them in time.
   */
  keepOnly(bearers: readonly Bearer[]): void
}

/** A stored token, or an anonymous caller in try-out mode. */
export type Bearer = ApiToken | 'try-out'

/** Requests shorter than this are allowed to finish. */
const briefMs = 1_000

export function createOpenRequests(): OpenRequests {
  const open = new Map<ServerResponse, { name: string; since: number }>()
  return {
    add(by, response) {
      if (response.destroyed) return
      open.set(response, { name: nameOf(by), since: performance.now() })
      response.once('close', () => open.delete(response))
    },
    keepOnly(bearers) {
      const kept = new Set(bearers.map(nameOf))
      const before = performance.now() - briefMs
      for (const [response, { name, since }] of open) {
        if (!kept.has(name) && since < before) response.destroy()
      }
    },
  }
}

function nameOf(by: Bearer): string {
  return by === 'try-out' ? by : by.digest.toString('hex')
}
