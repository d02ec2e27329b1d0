/** Runs at most this many jobs at once; the rest wait in order. An urgent one does not wait. */
export const createSlots = (size: number) => {
  let waiting: (() => void)[] = []
  let next = 0
  let taken = 0

  const release = () => {
    taken--
    const job = taken < size ? waiting[next] : undefined
    if (!job) return
    next++
    if (next > 1000) {
      // Only now and then, since a shift() for each of 10,000 would be slow.
      waiting = waiting.slice(next)
      next = 0
    }
    job()
  }

  return {
    run: async (urgent: boolean, job: () => Promise<void>): Promise<void> => {
      if (!urgent && taken >= size) await new Promise<void>(resolve => waiting.push(resolve))
      taken++
      try {
        await job()
      } finally {
        release()
      }
    },
  }
}
