import type { Verdict } from './verdict.ts'

interface Log {
  info(fields: object, message: string): void
}

export interface LoggedCallback {
  callbackId: string
  verdict: Verdict | 'spooled'
  service: string
  /** Milliseconds from its last byte to its commit. */
  ms: number
}

/**
 * One line per callback, up to a number per second; for the rest, one line with how many there were of each verdict
 * when the second is over. Writing a line for each of a burst of 10,000 would cost as much as storing some of them.
 */
export function logCallbacks(log: Log, perSecond: number): (line: Log, callback: LoggedCallback) => void {
  let began = Number.NEGATIVE_INFINITY
  let written = 0
  let more: { [verdict: string]: number } = {}

  function tellMore(): void {
    log.info({ callbacks: more }, 'further callbacks of one second')
    more = {}
  }

  return (line, callback) => {
    const now = performance.now()
    if (now - began >= 1_000) {
      began = now
      written = 0
    }
    written += 1
    if (written <= perSecond) return line.info(callback, 'callback')
    if (Object.keys(more).length === 0) setTimeout(tellMore, 1_000 - (now - began)).unref()
    more[callback.verdict] = (more[callback.verdict] ?? 0) + 1
  }
}
