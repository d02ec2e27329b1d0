/** Whether the database is away: the last attempt to write failed because of it, and none has succeeded since. */
export interface Outage {
  isOn(): boolean
  /** For when too many wait: either it is on, or a dead link lets nothing through without saying so. */
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
