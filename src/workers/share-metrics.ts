import cluster, { type Worker } from 'node:cluster'
import { AggregatorRegistry, type Registry } from 'prom-client'

/**
 * A worker's question for the metrics of all, and the primary's answer; without a page: not every worker answered in
 * time.
 */
interface Question {
  kind: 'thingspace: metrics wanted'
  id: number
}
interface Reply {
  kind: 'thingspace: metrics'
  id: number
  page: string | null
}

/** For the primary: whichever worker is asked for metrics, the answer covers all. */
export function answerMetrics(): void {
  const all = new AggregatorRegistry()
  cluster.on('message', async (worker: Worker, message: Question) => {
    if (message?.kind !== 'thingspace: metrics wanted') return
    const page = await all.clusterMetrics().catch(() => null)
    const reply: Reply = { kind: 'thingspace: metrics', id: message.id, page }
    if (worker.isConnected()) worker.send(reply)
  })
}

/**
 * For a worker: its registry becomes part of the common page, which the returned function requests from the primary.
 */
export function shareMetrics(registry: Registry): () => Promise<string> {
  AggregatorRegistry.setRegistries(registry)
  // Listens for the primary's questions.
  new AggregatorRegistry()
  const asked = new Map<number, (page: string | null) => void>()
  let asking = 0
  process.on('message', (message: Reply) => {
    if (message?.kind !== 'thingspace: metrics') return
    asked.get(message.id)?.(message.page)
    asked.delete(message.id)
  })
  return async () => {
    asking += 1
    const question: Question = { kind: 'thingspace: metrics wanted', id: asking }
    const page = await new Promise<string | null>(resolve => {
      asked.set(question.id, resolve)
      process.send?.(question)
    })
    if (page === null) throw new Error('not every worker told its metrics in time')
    return page
  }
}
