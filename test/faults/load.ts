import http from 'node:http'
import { account } from '../fixtures/account.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { deviceSecret, listener, token } from './stage.ts'

/** What the sender knows of one callback: `unknown` after a reset, a time-out or a 5xx. */
export interface Sent {
  n: number
  requestId: string
  outcome: 'ok' | 'refused' | 'unknown'
  callbackId: string | null
  /** Told by a 202: of copies that were spooled one by one, the first to be drained gives the callback its id. */
  spooledIds: string[]
  attempts: number
  /** Whether its activation is recorded, and whether that was acknowledged. */
  recorded: 'no' | 'unknown' | 'yes'
}

export interface Load {
  ledger: Sent[]
  /** Milliseconds that each acknowledgement took. */
  latencies: number[]
  /** Acknowledged so far. */
  acknowledged(): number
  /** Resolves when so many are acknowledged, or rejects. */
  reaches(count: number): Promise<void>
  /** Sends nothing new, and waits for what is under way. */
  stop(): Promise<void>
}

export interface LoadOptions {
  /** Where to send to; asked for every request, since a process that starts again has another port. */
  urls: () => string[]
  workers: number
  /** Goes on in a ledger of earlier loads of the same database. */
  ledger?: Sent[]
  /** How long a sender waits that was told to come back, or not answered: the fault must not become the load. */
  pauseMs?: number
  /** How long a sender rests after each callback that was taken. */
  restMs?: number
  /** Of so many callbacks one has its activation recorded, before it or after it. */
  recordEach?: number
}

const answerWithinMs = 6_000

/**
 * Distinct callbacks without end, each its own request and device, some sent twice at once, some with their activation
 * recorded. Nothing is sent again here: `settle` does that when the fault is over.
 */
export function startLoad(options: LoadOptions): Load {
  const { workers, pauseMs = 200, restMs = 0, recordEach = 4, ledger = [] } = options
  const latencies: number[] = []
  let acknowledged = 0
  let stopping = false
  const waiting: { count: number; resolve: () => void }[] = []

  async function work(): Promise<void> {
    while (!stopping) {
      const sent = enter(ledger)
      const { n } = sent
      if (n % (2 * recordEach) === 0) await record(options, sent)
      const copies = n % 10 === 0 ? [deliver(options, sent), deliver(options, sent)] : [deliver(options, sent)]
      const asked = performance.now()
      await Promise.all(copies)
      if (isTaken(sent)) latencies.push(performance.now() - asked)
      if (n % (2 * recordEach) === recordEach) await record(options, sent)
      if (isTaken(sent)) acknowledged += 1
      else await pause(pauseMs)
      if (restMs > 0) await pause(restMs)
      for (const one of waiting) if (acknowledged >= one.count) one.resolve()
    }
  }

  const working = Array.from({ length: workers }, work)
  return {
    ledger,
    latencies,
    acknowledged: () => acknowledged,
    reaches: count =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`only ${acknowledged} of ${count} acknowledged`)), 60_000)
        const found = () => {
          clearTimeout(late)
          resolve()
        }
        waiting.push({ count, resolve: found })
      }),
    async stop() {
      stopping = true
      await Promise.all(working)
    },
  }
}

/** Sends again, as the carrier does, whatever nobody knows the end of, until all of it is acknowledged. */
export async function settle(options: Pick<LoadOptions, 'urls'>, ledger: readonly Sent[]): Promise<void> {
  const open = ledger.filter(({ outcome, recorded }) => outcome === 'unknown' || recorded === 'unknown')
  const until = Date.now() + 300_000
  const queue = [...open]
  const work = async () => {
    for (let sent = queue.pop(); sent !== undefined; sent = queue.pop()) {
      while (sent.outcome === 'unknown' || sent.recorded === 'unknown') {
        if (Date.now() > until) throw new Error(`${sent.requestId} is never taken`)
        if (sent.outcome === 'unknown') await deliver(options, sent)
        if (sent.recorded === 'unknown') await record(options, sent)
      }
    }
  }
  await Promise.all(Array.from({ length: 32 }, work))
}

function enter(ledger: Sent[]): Sent {
  const n = ledger.length
  const requestId = `fault-${n}`
  const sent: Sent = { n, requestId, outcome: 'unknown', callbackId: null, spooledIds: [], attempts: 0, recorded: 'no' }
  ledger.push(sent)
  return sent
}

/** Milliseconds until a new callback is acknowledged; tries again and again, each time with the same one. */
export async function untilTaken(options: Pick<LoadOptions, 'urls'>, ledger: Sent[]): Promise<number> {
  const started = performance.now()
  const sent = enter(ledger)
  while (!isTaken(sent)) {
    if (performance.now() - started > 60_000) throw new Error('nothing is taken any more')
    await deliver(options, sent)
    if (!isTaken(sent)) await pause(25)
  }
  return performance.now() - started
}

function isTaken({ outcome }: Sent): boolean {
  return outcome === 'ok'
}

async function deliver({ urls }: Pick<LoadOptions, 'urls'>, sent: Sent): Promise<void> {
  const { n, requestId } = sent
  sent.attempts += 1
  const body = makeCallback({ requestId, ...device(n), ...listener, secret: deviceSecret, callbackCount: (n % 4) + 1 })
  const answer = await request('POST', `${pick(urls())}/callbacks/${account}/CarrierService`, body)
  if (answer === null || answer.status >= 500) return
  sent.outcome = answer.status < 300 ? 'ok' : 'refused'
  if (answer.status === 202) sent.spooledIds.push(answer.body.callbackId)
  else sent.callbackId ??= answer.body.callbackId ?? null
}

async function record({ urls }: Pick<LoadOptions, 'urls'>, sent: Sent): Promise<void> {
  sent.recorded = 'unknown'
  const deviceIds = Object.entries(device(sent.n)).map(([kind, id]) => ({ kind, id }))
  const url = `${pick(urls())}/v1/activations/${sent.requestId}`
  const answer = await request('PUT', url, { accountName: account, devices: [{ deviceIds }] })
  if (answer !== null && answer.status < 300) sent.recorded = 'yes'
}

export interface HttpAnswer {
  status: number
  headers: http.IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: answers of any shape
  body: any
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 512 })

/** null: no answer came. */
export function request(method: string, url: string, body?: object): Promise<HttpAnswer | null> {
  return new Promise(resolve => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const asked = http.request(url, { method, headers, agent, timeout: answerWithinMs }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.on('error', () => resolve(null))
      answer.on('end', () => resolve(read(answer, Buffer.concat(chunks).toString())))
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', () => resolve(null))
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

function read(answer: http.IncomingMessage, text: string): HttpAnswer | null {
  const json = answer.headers['content-type']?.includes('json')
  return answer.complete
    ? { status: answer.statusCode ?? 0, headers: answer.headers, body: json ? JSON.parse(text) : text }
    : null
}

let turn = 0

function pick(urls: readonly string[]): string {
  turn += 1
  return urls[turn % urls.length] ?? 'http://127.0.0.1:1'
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
