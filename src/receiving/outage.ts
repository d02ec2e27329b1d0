/** Whether the database is away: the last attempt to write failed for its sake, and none went through since. */
export interface Outage {
  isOn(): boolean
  failed(): void
  ended(): void
}

export function watchOutage(): Outage {
  let on = false
  return {
    isOn: () => on,
    failed() {
      on = true
    },
    ended() {
      on = false
    },
  }
}
