import { type LoadResult, resultOf } from './order.ts'

interface Pace {
  seconds: number
  /** Requests a second, spread evenly. */
  rate: number
  /** Sends one, and tells the status of its answer; 599 where the connection broke. */
  send: () => Promise<number>
}

/** The sender is a process that has just begun: until its code is compiled it is late by itself. */
const warmUpMs = 1_000

/**
 * Sends requests when they are due, whether or not earlier ones were answered, and counts from there: a server that
 * stalls is charged for everybody who would have come meanwhile. autocannon sends a second's requests in one burst. What is
 * due in the first second is sent, and not counted.
 */
export async function sendPaced({ seconds, rate, send }: Pace): Promise<LoadResult> {
  const took: number[] = []
  let failed = 0
  const pending = new Set<Promise<void>>()
  const began = performance.now()
  const countedFrom = began + warmUpMs
  const total = Math.round(rate * (seconds + warmUpMs / 1_000))
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1_000) * rate) + 1)
    for (; sent < due; sent += 1) {
      const dueAt = began + (sent * 1_000) / rate
      const answered = send().then(status => {
        pending.delete(answered)
        if (dueAt < countedFrom) return
        took.push(performance.now() - dueAt)
        if (status >= 400) failed += 1
      })
      pending.add(answered)
    }
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await Promise.all(pending)
  return resultOf(took, failed, (performance.now() - countedFrom) / 1_000)
}
