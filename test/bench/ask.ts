import http from 'node:http'
import autocannon from 'autocannon'
import { answerOrder, type LoadResult } from './order.ts'
import { sendPaced } from './paced.ts'

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

answerOrder(load)

async function load(order: AskOrder): Promise<LoadResult> {
  const { url, connections, seconds, rate } = order
  const requests = order.questions.map(({ method, path, body, etag }) => ({
    method,
    path,
    ...(body === undefined ? {} : { body }),
    headers: {
      authorization: `Bearer ${order.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
    },
  }))
  if (rate !== undefined) {
    let n = 0
    const next = () => requests[n++ % requests.length] as (typeof requests)[number]
    const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
    return sendPaced({ seconds, rate, send: () => askOnce(agent, url, next()) }).finally(() => agent.destroy())
  }
  const result = await autocannon({ url, connections, duration: seconds, timeout: 10, requests })
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

interface HttpQuestion {
  method: string
  path: string
  headers: Record<string, string>
  body?: string
}

/** The status; 599 where the connection broke. */
function askOnce(agent: http.Agent, url: string, { method, path, headers, body }: HttpQuestion): Promise<number> {
  return new Promise(resolve => {
    const request = http.request(url + path, { agent, method, headers }, response => {
      response.resume().once('end', () => resolve(response.statusCode ?? 599))
    })
    request.once('error', () => resolve(599))
    request.end(body)
  })
}
