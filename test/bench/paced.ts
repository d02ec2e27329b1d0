import http from 'node:http'
import { type LoadResult, resultOf } from './order.ts'

export interface PacedRequest {
  method: string
  path: string
  headers: Record<string, string>
  body?: string
}

interface Pace {
  url: string
  connections: number
  seconds: number
  /** Requests a second, spread evenly. */
  rate: number
  next: () => PacedRequest
}

/**
 * Sends requests when they are due, whether or not earlier ones were answered, and counts from there: a server that
 * stalls is charged for everybody who would have come meanwhile. autocannon sends a second's requests in one burst.
 */
export async function sendPaced({ url, connections, seconds, rate, next }: Pace): Promise<LoadResult> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const took: number[] = []
  let failed = 0
  const pending = new Set<Promise<void>>()
  const began = performance.now()
  const total = Math.round(rate * seconds)
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1_000) * rate) + 1)
    for (; sent < due; sent += 1) {
      const dueAt = began + (sent * 1_000) / rate
      const answered = send(agent, url, next()).then(status => {
        took.push(performance.now() - dueAt)
        if (status >= 400) failed += 1
        pending.delete(answered)
      })
      pending.add(answered)
    }
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await Promise.all(pending)
  agent.destroy()
  return resultOf(took, failed, (performance.now() - began) / 1_000)
}

/** The status; 599 where the connection broke. */
function send(agent: http.Agent, url: string, { method, path, headers, body }: PacedRequest): Promise<number> {
  return new Promise(resolve => {
    const request = http.request(url + path, { agent, method, headers }, response => {
      response.resume().once('end', () => resolve(response.statusCode ?? 599))
    })
    request.once('error', () => resolve(599))
    request.end(body)
  })
}
