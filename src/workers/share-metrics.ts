import cluster, { type Worker } from 'node:cluster'
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client'

type Metrics = MetricObjectWithValues<MetricValue<string>>[]

/** A worker's question for the metrics of all. */
interface PageWanted {
  kind: 'thingspace: metrics wanted'
  id: number
}
/** The primary's answer; without a page: not every worker told its own in time. */
interface Page {
  kind: 'thingspace: metrics'
  id: number
  page: string | null
}
/** The primary's question for those of one worker. */
interface OwnWanted {
  kind: 'thingspace: own metrics wanted'
}
interface Own {
  kind: 'thingspace: own metrics'
  metrics: Metrics
}

const toldWithinMs = 5_000

/** For the primary: whichever worker is asked for metrics, the answer covers all. */
export function answerMetrics(): void {
  const told = new Map<number, Metrics>()
  /** What workers that have ended had counted when they last told: a sum that shrinks looks like new events. */
  let ended: Metrics = []
  /** Each is given every worker that has told its metrics, or has ended. */
  const waiting = new Set<(worker: number) => void>()
  const settle = (worker: number) => {
    for (const heard of waiting) heard(worker)
  }

  cluster.on('exit', ({ id }) => {
    const counted = (told.get(id) ?? []).filter(({ type }) => ['counter', 'histogram'].includes(`${type}`))
    ended = sumOf([ended, counted])
    told.delete(id)
    settle(id)
  })
  cluster.on('message', async (worker: Worker, message: PageWanted | Own) => {
    if (message?.kind === 'thingspace: own metrics') {
      if (!worker.isDead()) told.set(worker.id, message.metrics)
      settle(worker.id)
    }
    if (message?.kind !== 'thingspace: metrics wanted') return
    const page = (await allTold()) ? await pageOf([ended, ...told.values()]) : null
    const reply: Page = { kind: 'thingspace: metrics', id: message.id, page }
    if (worker.isConnected()) worker.send(reply)
  })

  /** Asks every worker. False: one of them is silent. */
  function allTold(): Promise<boolean> {
    const asked = Object.values(cluster.workers ?? {}).filter(worker => worker?.isConnected()) as Worker[]
    const missing = new Set(asked.map(({ id }) => id))
    return new Promise(resolve => {
      const end = (isComplete: boolean) => {
        clearTimeout(timer)
        waiting.delete(heard)
        resolve(isComplete)
      }
      const heard = (worker: number) => {
        missing.delete(worker)
        if (missing.size === 0) end(true)
      }
      const timer = setTimeout(end, toldWithinMs, false)
      waiting.add(heard)
      const question: OwnWanted = { kind: 'thingspace: own metrics wanted' }
      for (const worker of asked) worker.send(question)
    })
  }
}

function sumOf(all: Metrics[]): Metrics {
  return AggregatorRegistry.aggregate(all).getMetricsAsArray() as unknown as Metrics
}

function pageOf(all: Metrics[]): Promise<string> {
  return AggregatorRegistry.aggregate(all).metrics()
}

/**
 * For a worker: its registry becomes part of the common page, which the returned function requests from the primary.
 */
export function shareMetrics(registry: Registry): () => Promise<string> {
  const asked = new Map<number, (page: string | null) => void>()
  let asking = 0
  process.on('message', async (message: Page | OwnWanted) => {
    if (message?.kind === 'thingspace: own metrics wanted') {
      // One that can't tell stays silent, and there is no page.
      const metrics = await registry.getMetricsAsJSON().catch(() => null)
      const own: Own | null = metrics && { kind: 'thingspace: own metrics', metrics }
      if (own !== null) process.send?.(own)
    }
    if (message?.kind !== 'thingspace: metrics') return
    asked.get(message.id)?.(message.page)
    asked.delete(message.id)
  })
  return async () => {
    asking += 1
    const question: PageWanted = { kind: 'thingspace: metrics wanted', id: asking }
    const page = await new Promise<string | null>(resolve => {
      asked.set(question.id, resolve)
      process.send?.(question)
    })
    if (page === null) throw new Error('not every worker told its metrics in time')
    return page
  }
}
