import autocannon from 'autocannon'
import type { LoadResult } from './load.ts'

/** Questions, sent over and over in turn: the load generator of those who ask. */
export interface AskOrder {
  url: string
  token: string
  connections: number
  seconds: number
  questions: Question[]
  /** Questions a second, where not as many as can be; how long each took is then counted from when it was due. */
  rate?: number
}

export interface Question {
  method: 'GET' | 'POST'
  path: string
  body?: string
  /** What the asker knows already. */
  etag?: string
}

process.on('message', async (order: AskOrder) => {
  process.send?.(await load(order))
  process.disconnect()
})

async function load({ url, token, connections, seconds, questions, rate }: AskOrder): Promise<LoadResult> {
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    ...(rate === undefined ? {} : { overallRate: rate }),
    timeout: 10,
    requests: questions.map(({ method, path, body, etag }) => ({
      method,
      path,
      ...(body === undefined ? {} : { body }),
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(etag === undefined ? {} : { 'if-none-match': etag }),
      },
    })),
  })
  const unchanged = result.statusCodeStats?.['304']?.count ?? 0
  const ok = result['2xx'] + unchanged
  return {
    perSecond: ok / result.duration,
    ok,
    failed: result.non2xx - unchanged + result.errors + result.timeouts,
    p50: result.latency.p50,
    p99: result.latency.p99,
  }
}
