/** Timers that keep no process alive and can all be stopped at once. */
export interface Timers {
  after(ms: number, run: () => void): () => void
  stopAll(): void
}

export const createTimers = (): Timers => {
  const running = new Set<NodeJS.Timeout>()
  let stopped = false
  return {
    after: (ms, run) => {
      if (stopped) return () => {}
      const timer = setTimeout(() => {
        running.delete(timer)
        run()
      }, Math.round(ms))
      timer.unref()
      running.add(timer)
      return () => {
        clearTimeout(timer)
        running.delete(timer)
      }
    },
    stopAll: () => {
      stopped = true
      for (const timer of running) clearTimeout(timer)
      running.clear()
    },
  }
}
