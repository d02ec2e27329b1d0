import { fork } from 'node:child_process'
import { once } from 'node:events'
import autocannon from 'autocannon'
import { listener } from '../faults/stage.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account } from '../fixtures/service.ts'
import { quantile } from './scenario.ts'

/** What a flood is told to do; it is a process of its own, so that it never waits for what it measures. */
export interface FloodOrder {
  url: string
  connections: number
  seconds: number
  /** Requests a second, all connections together; none: as fast as they are answered. */
  rate?: number
  run: string
}

export interface Flood {
  /** A second: answered at all, and acknowledged. */
  answered: number
  acknowledged: number
  refused: number
  refusedP99: number
  /** No answer came, or one that is neither 2xx nor 503. */
  failed: number
}

export async function flood(order: FloodOrder): Promise<Flood> {
  const child = fork(import.meta.filename)
  child.send(order)
  const [result] = (await once(child, 'message')) as [Flood]
  return result
}

process.on('message', async (order: FloodOrder) => {
  process.send?.(await pour(order))
  process.disconnect()
})

function pour({ url, connections, seconds, rate, run }: FloodOrder): Promise<Flood> {
  const nextBody = bodies(run)
  const refusals: number[] = []
  return new Promise((resolve, reject) => {
    const options = {
      url,
      connections,
      duration: seconds,
      timeout: 10,
      ...(rate === undefined ? {} : { overallRate: Math.round(rate), ignoreCoordinatedOmission: true }),
      requests: [
        {
          method: 'POST' as const,
          path: `/callbacks/${account}/CarrierService`,
          headers: { 'content-type': 'application/json' },
          setupRequest: (request: autocannon.Request) => ({ ...request, body: nextBody() }),
        },
      ],
    }
    const instance = autocannon(options, (error, result) => {
      if (error !== null) return reject(error)
      const answered = result['2xx'] + result.non2xx
      resolve({
        answered: answered / result.duration,
        acknowledged: result['2xx'] / result.duration,
        refused: refusals.length,
        refusedP99: refusals.length === 0 ? 0 : Math.round(quantile(refusals, 0.99)),
        failed: result.non2xx - refusals.length + result.errors + result.timeouts,
      })
    })
    instance.on('response', (_client, status, _bytes, milliseconds) => {
      if (status === 503) refusals.push(milliseconds)
    })
  })
}

/** Made from one text by putting identifiers in: making them must cost less than sending them. */
function bodies(run: string): () => string {
  const marks = { requestId: '~request~', iccid: '~iccid~', eid: '~eid~', imei: '~imei~' }
  const parts = JSON.stringify(makeCallback({ ...marks, ...listener })).split('~')
  let n = 0
  return () => {
    n += 1
    const ids: Record<string, string> = { request: `${run}-${n}`, ...device(n) }
    return parts.map((part, at) => (at % 2 === 1 ? ids[part] : part)).join('')
  }
}
