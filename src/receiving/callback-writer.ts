import type { PipelinedDatabase } from '../database/pipeline.ts'
import type { Tracing } from '../operating/tracing/tracing.ts'
import { type BatchWriterOptions, createBatchWriter } from './batch-writer.ts'
import { type Authentic, prepareCallback } from './incoming-callback.ts'
import type { StoredCallback } from './store-callbacks.ts'
import { StoreBusy, StoreUnavailable } from './store-errors.ts'
import { type Waiting, waitFor } from './waiting-callback.ts'

export interface CallbackWriter {
  /**
   * Resolves once the callback and its effect are committed. Rejects at once with `StoreBusy` when too many wait, and
   * with `StoreUnavailable` when it was not committed in time; then the outcome is unknown, and a repeat is harmless.
   */
  store(message: Authentic): Promise<StoredCallback>
  /** Callbacks that wait or are being written. */
  depth(): number
  /** Resolves when nothing waits any more. */
  drained(): Promise<void>
}

export interface WriterOptions extends Omit<BatchWriterOptions, 'setAside' | 'tracing'> {
  /** How many transactions are under way at once: while one commits, the next one is prepared. */
  transactions?: number
  /** How many devices the callbacks that share one transaction speak of at most; a single one may speak of more. */
  batch?: number
  /** How many callbacks may wait. */
  queue?: number
  /** Milliseconds after which a callback that is not committed yet is answered with 503. */
  patienceMs?: number
  /** null: no traces are kept. */
  tracing?: Pick<Tracing, 'remember' | 'transaction'> | null
}

const heldPauseMs = 100

/**
 * One writer for all connections: callbacks that arrive while a transaction is under way share the next one, so the
 * cost of a commit is divided among all that wait. What becomes of each batch is the batch writer's business.
 */
export function createCallbackWriter(db: PipelinedDatabase, options: WriterOptions): CallbackWriter {
  const {
    keys,
    transactions = 2,
    batch: largestBatch = 256,
    queue: longestQueue = 5_000,
    patienceMs = 1_800,
    tracing = null,
  } = options
  const waiting: Waiting[] = []
  /** Requests whose row a transaction of ours holds or waits for. */
  const busy = new Set<string>()
  const whenDrained: (() => void)[] = []
  const batches = createBatchWriter(db, { ...options, setAside })
  let inTransaction = 0
  let inHand = 0
  let heldAside = 0
  let isSoon = false

  function store(message: Authentic): Promise<StoredCallback> {
    tracing?.remember(message)
    if (waiting.length >= longestQueue) return Promise.reject(new StoreBusy('too many callbacks wait to be stored'))
    return new Promise((resolve, reject) => {
      const entry = waitFor(message, patienceMs, resolve, reject)
      prepare(entry)
      waiting.push(entry)
      // If any ahead of it were ready, they would have been taken: all of those are blocked by busy requests.
      if (entry.request === null || !busy.has(entry.request)) workSoon()
    })
  }

  function prepare(entry: Waiting): void {
    const known = keys()
    if (known === null) return
    try {
      entry.prepared = prepareCallback(entry.message, known)
    } catch {
      // It is tried again, or quarantined, where its batch is written.
      return
    }
    const { requestId } = entry.prepared.reading
    entry.request = requestId === null ? null : `${requestId} ${entry.message.accountName}`
  }

  /**
   * Once everything that the network has delivered by now is read: otherwise the first one would get a transaction of
   * its own.
   */
  function workSoon(): void {
    if (isSoon) return
    isSoon = true
    setImmediate(() => {
      isSoon = false
      work()
    })
  }

  function work(): void {
    while (inTransaction < transactions && waiting.length > 0) {
      const batch = takeBatch()
      if (batch.length === 0) break
      inTransaction += 1
      inHand += batch.length
      const requests = new Set(batch.flatMap(({ request }) => request ?? []))
      for (const request of requests) busy.add(request)
      const writing = batches.write(batch).catch(cause => {
        for (const entry of batch) entry.reject(new StoreUnavailable('the callback met a fault of ours', { cause }))
      })
      void writing.finally(() => {
        inTransaction -= 1
        inHand -= batch.length
        for (const request of requests) busy.delete(request)
        workSoon()
      })
    }
    tellDrained()
  }

  /**
   * The oldest that wait, except those of a request that is being written: a transaction would only wait for that row,
   * and meanwhile more callbacks of a bulk activation come to share the next one. A callback that may crash the server
   * goes alone.
   */
  function takeBatch(): Waiting[] {
    const batch: Waiting[] = []
    const left: Waiting[] = []
    let room = largestBatch
    for (const entry of waiting) {
      if (entry.givenUp) continue
      const free = entry.request === null || !busy.has(entry.request)
      const alone = batches.mustGoAlone(entry)
      const size = sizeOf(entry)
      if (free && (batch.length === 0 || (!alone && size <= room))) {
        batch.push(entry)
        room = alone ? 0 : room - size
      } else left.push(entry)
    }
    waiting.splice(0, waiting.length, ...left)
    return batch
  }

  function tellDrained(): void {
    if (depth() === 0) for (const drained of whenDrained.splice(0)) drained()
  }

  function setAside(held: Waiting[]): void {
    heldAside += held.length
    setTimeout(() => {
      heldAside -= held.length
      waiting.push(...held)
      work()
    }, heldPauseMs)
  }

  function depth(): number {
    return waiting.length + inHand + heldAside
  }

  return {
    store,
    depth,
    drained: () => (depth() === 0 ? Promise.resolve() : new Promise(resolve => whenDrained.push(resolve))),
  }
}

/** A row or more is written for each report: otherwise some callbacks of many could never be written in time. */
function sizeOf({ prepared }: Waiting): number {
  return prepared?.reading.kind === 'reports' ? Math.max(1, prepared.reading.reports.length) : 1
}
