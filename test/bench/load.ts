import autocannon from 'autocannon'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { answerOrder, type LoadResult } from './order.ts'
import { sendPaced } from './paced.ts'
import { openPostPool } from './post-pool.ts'

/** The load generator of those who call back. */
export interface LoadOrder {
  url: string
  connections: number
  seconds: number
  /** Requests to send instead of a time to send for. */
  amount?: number
  /** Distinguishes the callbacks of one run from those of another. */
  run: string
  /** How many callbacks share a requestId: 1, or as many as one bulk activation has targets. */
  perRequest: number
  /** Of a hundred, how many are sent a second time. */
  repeats: number
  /** Callbacks a second, where not as many as can be; how long each took is then counted from when it was due. */
  rate?: number
}

answerOrder(load)

async function load(order: LoadOrder): Promise<LoadResult> {
  const { url, connections, seconds, amount, rate } = order
  const nextBody = bodies(order)
  const request = {
    method: 'POST',
    path: '/callbacks/0000123456-00001/CarrierService',
    headers: { 'content-type': 'application/json' },
  } as const
  if (rate !== undefined) {
    const pool = openPostPool(url, request.path, connections)
    return sendPaced({ seconds, rate, send: () => pool.send(nextBody()) }).finally(pool.close)
  }
  const started = performance.now()
  const result = await autocannon({
    url,
    connections,
    // It looks whether all is sent when it takes a sample: by itself once a second.
    ...(amount === undefined ? { duration: seconds } : { amount, sampleInt: 50 }),
    timeout: 10,
    requests: [{ ...request, setupRequest: one => ({ ...one, body: nextBody() }) }],
  })
  const passed = amount === undefined ? result.duration : (performance.now() - started) / 1000
  return {
    perSecond: result['2xx'] / passed,
    ok: result['2xx'],
    failed: result.non2xx + result.errors + result.timeouts,
    p50: result.latency.p50,
    p99: result.latency.p99,
  }
}

/** 1.3 kB each, made from one text by putting identifiers in: making them must cost less than sending them. */
function bodies({ run, perRequest, repeats }: LoadOrder): () => string {
  const marks = { requestId: '~request~', iccid: '~iccid~', eid: '~eid~', imei: '~imei~' }
  const credentials = { username: 'listener-acct1', password: 'LISTENER-PASSWORD-PLACEHOLDER' }
  const parts = JSON.stringify({ ...makeCallback({ ...marks, ...credentials }), padding: 'x'.repeat(250) })
    .replaceAll('5555550101', '~mdn~')
    .split('~')
  let n = 0
  let last = ''
  return () => {
    n += 1
    if (last !== '' && n % 100 < repeats) return last
    const ids: Record<string, string> = {
      request: `${run}-${Math.floor((n - 1) / perRequest)}`,
      mdn: mdnOf(n),
      ...device(n),
    }
    last = parts.map((part, at) => (at % 2 === 1 ? ids[part] : part)).join('')
    return last
  }
}

function mdnOf(n: number): string {
  return String(5_550_000_000 + n)
}
