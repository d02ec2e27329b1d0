import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account } from './bulk.ts'
import { type Contestant, token } from './processes.ts'

/**
 * Milliseconds from the answer to a callback until its change has reached a reader who waits (below zero: before the
 * answer), one callback after the other.
 */
export async function measureFeed({ url }: Contestant, times: number): Promise<number[]> {
  const headers = { authorization: `Bearer ${token}` }
  let after = await changes('?after=now').then(({ cursor }) => cursor)
  const lags: number[] = []
  for (let n = 1; n <= times; n += 1) {
    const waiting = changes(`?after=${after}&wait=30`).then(found => ({ ...found, at: performance.now() }))
    await new Promise(resolve => setTimeout(resolve, 20))
    const answered = await post(n)
    const found = await waiting
    after = found.cursor
    lags.push(found.at - answered)
  }
  return lags

  async function changes(query: string): Promise<{ cursor: string }> {
    const response = await fetch(`${url}/v1/changes${query}`, { headers })
    return (await response.json()) as { cursor: string }
  }

  async function post(n: number): Promise<number> {
    const credentials = { username: 'listener-acct1', password: 'LISTENER-PASSWORD-PLACEHOLDER' }
    const response = await fetch(`${url}/callbacks/${account}/CarrierService`, {
      method: 'POST',
      body: JSON.stringify(makeCallback({ requestId: `feed-${n}`, ...device(900_000 + n), ...credentials })),
    })
    if (response.status !== 200) throw new Error(`a callback was answered with ${response.status}`)
    return performance.now()
  }
}
