import { type LoadResult, resultOf } from './order.ts'

interface Pace {
  seconds: number
  /** Requests a second, spread evenly. */
  rate: number
  /** Sends one, and tells the status of its answer; 599 where the connection broke. */
  send: () => Promise<number>
}

/**
 * Sends requests when they are due, whether or not earlier ones were answered, and counts from there: a server that
 * stalls is charged for everybody who would have come meanwhile. autocannon sends a second's requests in one burst.
 */
export async function sendPaced({ seconds, rate, send }: Pace): Promise<LoadResult> {
  const took: number[] = []
  let failed = 0
  const pending = new Set<Promise<void>>()
  const began = performance.now()
  const total = Math.round(rate * seconds)
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1_000) * rate) + 1)
    for (; sent < due; sent += 1) {
      const dueAt = began + (sent * 1_000) / rate
      const answered = send().then(status => {
        took.push(performance.now() - dueAt)
        if (status >= 400) failed += 1
        pending.delete(answered)
      })
      pending.add(answered)
    }
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await Promise.all(pending)
  return resultOf(took, failed, (performance.now() - began) / 1_000)
}
