import { device } from '../fixtures/make-callback.ts'
import { type Contestant, token } from './processes.ts'
import { sendOne } from './requests.ts'

const headers = { authorization: `Bearer ${token}` }

/**
 * Milliseconds from the answer to a callback until its change has reached a reader who waits (below zero: before the
 * answer), one callback after the other.
 */
export async function measureFeed({ url }: Contestant, times: number): Promise<number[]> {
  let after = await changes('?after=now').then(({ cursor }) => cursor)
  const lags: number[] = []
  for (let n = 1; n <= times; n += 1) {
    const waiting = changes(`?after=${after}&wait=30`).then(found => ({ ...found, at: performance.now() }))
    await pause(20)
    const answered = await post(url, 900_000 + n)
    const found = await waiting
    after = found.cursor
    lags.push(found.at - answered)
  }
  return lags

  async function changes(query: string): Promise<{ cursor: string }> {
    const response = await fetch(`${url}/v1/changes${query}`, { headers })
    return (await response.json()) as { cursor: string }
  }
}

/** The same for one who follows the stream of Server-Sent Events. */
export async function measureStream({ url }: Contestant, times: number): Promise<number[]> {
  const leaving = new AbortController()
  const response = await fetch(`${url}/v1/changes/stream?after=now`, { headers, signal: leaving.signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (!response.ok || reader === undefined) throw new Error(`the stream was answered with ${response.status}`)
  const lags: number[] = []
  let told = ''
  for (let n = 1; n <= times; n += 1) {
    const { iccid } = device(910_000 + n)
    const heard = (async () => {
      while (!told.includes(iccid)) {
        const { done, value } = await reader.read()
        if (done) throw new Error('the stream ended')
        told += value
      }
      return performance.now()
    })()
    await pause(20)
    const answered = await post(url, 910_000 + n)
    lags.push((await heard) - answered)
    told = ''
  }
  leaving.abort()
  return lags
}

/** When it was answered. */
async function post(url: string, n: number): Promise<number> {
  await sendOne(url, `feed-${n}`, n)
  return performance.now()
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
