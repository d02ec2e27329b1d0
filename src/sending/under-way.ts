/** Work that continues whether or not its caller is still there, and that the shutdown waits for. */
export interface UnderWay {
  add<T>(work: Promise<T>): Promise<T>
  ended(): Promise<void>
}

export function createUnderWay(): UnderWay {
  const open = new Set<Promise<unknown>>()
  return {
    add(work) {
      open.add(work)
      const end = () => void open.delete(work)
      work.then(end, end)
      return work
    },
    async ended() {
      while (open.size > 0) await Promise.allSettled(open)
    },
  }
}
