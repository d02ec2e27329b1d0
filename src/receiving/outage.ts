/** Whether the database is away: the last attempt to write failed for its sake, and none went through since. */
export interface Outage {
  isOn(): boolean
  /** For when too many wait: it is on, or a dead link lets nothing through and says nothing. */
  isLikely(): boolean
  failed(): void
  ended(): void
}

const quietMs = 500

export function watchOutage(now: () => number = () => performance.now()): Outage {
  let on = false
  let lastWritten = now()
  return {
    isOn: () => on,
    isLikely: () => on || now() - lastWritten > quietMs,
    failed() {
      on = true
    },
    ended() {
      on = false
      lastWritten = now()
    },
  }
}
