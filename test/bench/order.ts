/** What a process of the bench answers to its order. */
export interface LoadResult {
  /** Acknowledged with 2xx, a second. */
  perSecond: number
  ok: number
  failed: number
  p50: number
  p99: number
}

/** A process of its own, so that it never shares an event loop with what it measures: one order, one answer, the end. */
export function answerOrder<Order>(carryOut: (order: Order) => Promise<LoadResult>): void {
  process.on('message', async (order: Order) => {
    process.send?.(await carryOut(order))
    process.disconnect()
  })
}

/** From the milliseconds that each took, failed ones among them, and the seconds that all took. */
export function resultOf(took: readonly number[], failed: number, seconds: number): LoadResult {
  const inOrder = took.toSorted((one, other) => one - other)
  const part = (share: number) => Math.round((inOrder[Math.floor(inOrder.length * share)] ?? Number.NaN) * 10) / 10
  const ok = took.length - failed
  return { perSecond: ok / seconds, ok, failed, p50: part(0.5), p99: part(0.99) }
}
