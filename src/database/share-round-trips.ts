import DataLoader from 'dataloader'

/** How many may share a query: each of them waits for all of them. */
const atOnce = 200
/**
 * One query follows the other, and collects more callers meanwhile: side by side they would be smaller, and cost more
 * in total. Unless one takes too long.
 */
const tooLongMs = 25

interface Sharing<Answer> {
  loader: DataLoader<string, Answer>
  underWay: number
  waiting: (() => void)[]
}

/**
 * Callers who ask in the same turn of the event loop, or while others are being answered, share a round trip: a flood
 * of polls becomes a few queries. Only calls with the same key share one. `load` answers each id, in their order.
 */
export function shareRoundTrips<Answer>(
  load: (key: string, ids: readonly string[]) => Promise<Answer[]>,
): (key: string, id: string) => Promise<Answer> {
  const sharing = new Map<string, Sharing<Answer>>()

  function begin(key: string): Sharing<Answer> {
    const own: Sharing<Answer> = { loader: new DataLoader(ask, options()), underWay: 0, waiting: [] }

    async function ask(ids: readonly string[]): Promise<Answer[]> {
      own.underWay += 1
      try {
        return await load(key, ids)
      } finally {
        own.underWay -= 1
        own.waiting[0]?.()
        if (own.underWay === 0) sharing.delete(key)
      }
    }

    function options() {
      // Requests come on connections of their own: by the end of this turn, all those that were read in it are known.
      return { cache: false, maxBatchSize: atOnce, batchScheduleFn: (send: () => void) => setImmediate(inTurn, send) }
    }

    function inTurn(send: () => void): void {
      const go = () => {
        clearTimeout(timer)
        own.waiting = own.waiting.filter(other => other !== go)
        send()
      }
      const timer = setTimeout(go, tooLongMs)
      own.waiting.push(go)
      if (own.underWay === 0) go()
    }

    sharing.set(key, own)
    return own
  }

  return (key, id) => (sharing.get(key) ?? begin(key)).loader.load(id)
}
