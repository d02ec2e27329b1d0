import type { PipelinedDatabase } from '../database/pipeline.ts'
import { type Refusal, refusalOf, sqlState, uniqueViolation } from '../database/refusal.ts'
import type { Tracing } from '../operating/tracing/tracing.ts'
import { crashesServer, watchDeadlyCallbacks } from './deadly-callbacks.ts'
import {
  type Authentic,
  type IncomingCallback,
  type Keys,
  prepareCallback,
  quarantineCallback,
} from './incoming-callback.ts'
import { type StoredCallback, storeCallbacks } from './store-callbacks.ts'
import { StoreBusy, StoreRefused, StoreUnavailable } from './store-errors.ts'
import { takesBytesOf, tryBytesOf } from './takes-bytes.ts'
import { findHeldCallbacks, fingerprintsOf, type Waiting, waitFor } from './waiting-callback.ts'

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

export interface WriterOptions {
  /** null until the database has been reached for the first time. */
  keys: () => Keys | null
  /** How many transactions are under way at once: while one commits, the next one is prepared. */
  transactions?: number
  /** How many callbacks share one transaction at most. */
  batch?: number
  /** How many callbacks may wait. */
  queue?: number
  /** Milliseconds after which a callback that is not committed yet is answered with 503. */
  patienceMs?: number
  onRetry?: (refusal: Refusal, error: unknown, callbacks: number) => void
  onCommit?: (callbacks: number, seconds: number) => void
  /** null: no traces are kept. */
  tracing?: Pick<Tracing, 'remember' | 'transaction'> | null
}

const heldPauseMs = 100
/** After this many tries, a server that hit an internal fault may have hit it at one of these callbacks. */
const triesOfUnwell = 3
/** A key that another transaction inserted first is visible to the next try: after this many it is no race. */
const triesOfConflict = 5

/**
 * One writer for all connections: callbacks that arrive while a transaction is under way share the next one, so the
 * cost of a commit is divided among all that wait. One that the database refuses is found by halving its batch, and
 * quarantined; its neighbours are stored. So is one that always makes the server fail, or crash.
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
  const deadly = watchDeadlyCallbacks()
  let inTransaction = 0
  let inHand = 0
  let setAside = 0
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
      const writing = writeBatch(batch).catch(cause => {
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
      const alone = mustGoAlone(entry)
      if (free && batch.length < (alone ? 1 : room)) {
        batch.push(entry)
        if (alone) room = 1
      } else left.push(entry)
    }
    waiting.splice(0, waiting.length, ...left)
    return batch
  }

  function tellDrained(): void {
    if (depth() === 0) for (const drained of whenDrained.splice(0)) drained()
  }

  async function writeBatch(batch: readonly Waiting[], triedBefore = 0): Promise<void> {
    for (let attempt = triedBefore + 1; ; attempt += 1) {
      let wanted = batch.filter(entry => !entry.givenUp && !entry.answered)
      let bytesTaken = false
      try {
        if (wanted.some(entry => entry.suspect)) wanted = await setHeldAside(wanted)
        if (wanted.length === 0) return
        bytesTaken = await tryBytesOfSuspect(wanted)
        return answer(wanted, await writeOnce(wanted))
      } catch (error) {
        const refusal = refusalOf(error)
        for (const { prepared } of wanted) if (prepared !== null) prepared.tried = true
        options.onRetry?.(refusal, error, wanted.length)
        deadly.failed(fingerprintsOf(wanted), error, bytesTaken)
        if (wanted.length > 1 && wanted.some(mustGoAlone)) return writeEach(wanted)
        if (refusal === 'refused') return writeApart(wanted, error)
        if (refusal === 'unwell' && attempt >= triesOfUnwell) return writeApart(wanted, error, attempt)
        if (sqlState(error) === uniqueViolation && attempt >= triesOfConflict) return writeApart(wanted, error)
        if (refusal === 'held') for (const entry of wanted) entry.suspect = true
        if (refusal === 'unavailable' || refusal === 'unwell' || attempt > 5)
          await pause(Math.min(25 * 2 ** attempt, 400))
      }
    }
  }

  function mustGoAlone({ prepared }: Waiting): boolean {
    return prepared !== null && deadly.isSuspect(prepared.fingerprint)
  }

  /** One that may crash the server is written when the server is there, and takes what else it is given. */
  async function tryBytesOfSuspect([entry, ...others]: readonly Waiting[]): Promise<boolean> {
    const known = keys()
    if (entry === undefined || others.length > 0 || !mustGoAlone(entry) || known === null) return false
    await tryBytesOf(db, entry.message, known)
    return true
  }

  async function writeOnce(batch: readonly Waiting[]): Promise<StoredCallback[]> {
    const known = keys()
    if (known === null) throw new StoreUnavailable('the database was not reached yet')
    const incoming = batch.map(entry => {
      entry.prepared = survivable(entry.prepared ?? prepareCallback(entry.message, known), entry.message, known)
      return entry.prepared
    })
    const started = performance.now()
    const write = () => db.transaction(trx => storeCallbacks(trx, incoming))
    const messages = batch.map(({ message }) => message)
    const stored = await (tracing === null ? write() : tracing.transaction(messages, write))
    options.onCommit?.(incoming.length, (performance.now() - started) / 1_000)
    deadly.committed(incoming.map(({ fingerprint }) => fingerprint))
    return stored
  }

  function survivable(prepared: IncomingCallback, message: Authentic, known: Keys): IncomingCallback {
    if (prepared.reading.kind === 'unreadable' || !deadly.isDeadly(prepared.fingerprint)) return prepared
    return quarantineCallback(message, crashesServer, known)
  }

  async function writeEach(batch: readonly Waiting[]): Promise<void> {
    for (const entry of batch) await writeBatch([entry])
  }

  async function writeApart(batch: readonly Waiting[], error: unknown, tried = 0): Promise<void> {
    const [only] = batch
    if (only !== undefined && batch.length === 1) return judgeAlone(only, error)
    const half = Math.ceil(batch.length / 2)
    await writeBatch(batch.slice(0, half), tried)
    await writeBatch(batch.slice(half), tried)
  }

  /**
   * A server in trouble would fail at any callback: this one is to blame if its mere bytes are accepted and it fails
   * again.
   */
  async function judgeAlone(entry: Waiting, error: unknown): Promise<void> {
    const known = keys()
    const mayBeServer =
      refusalOf(error) === 'unwell' && entry.prepared?.reading.kind !== 'unreadable' && !entry.bytesTaken
    if (!mayBeServer || known === null) return quarantine(entry, error)
    entry.bytesTaken = await takesBytesOf(db, entry.message, known)
    return writeBatch([entry], entry.bytesTaken ? triesOfUnwell - 1 : 0)
  }

  async function quarantine(entry: Waiting, error: unknown): Promise<void> {
    const known = keys()
    if (entry.prepared?.reading.kind === 'unreadable' || known === null) {
      // A server that fails whatever it is given may accept it another time.
      const Kind = refusalOf(error) === 'unwell' ? StoreUnavailable : StoreRefused
      return entry.reject(new Kind('the database would not take the callback', { cause: error }))
    }
    const reason = `could be read but not applied (${sqlState(error) ?? (error as Error).name})`
    entry.prepared = quarantineCallback(entry.message, reason, known)
    return writeBatch([entry])
  }

  /**
   * Callbacks whose rows somebody else holds wait outside of a transaction, and are checked again in a moment; the
   * others are returned, so that they can proceed.
   */
  async function setHeldAside(batch: readonly Waiting[]): Promise<Waiting[]> {
    const isHeld = await db.transaction(async trx => ({ written: findHeldCallbacks(trx, batch) }))
    const [held, free] = [batch.filter(isHeld), batch.filter(entry => !isHeld(entry))]
    setAside += held.length
    setTimeout(() => {
      setAside -= held.length
      waiting.push(...held)
      work()
    }, heldPauseMs)
    return free
  }

  function depth(): number {
    return waiting.length + inHand + setAside
  }

  return {
    store,
    depth,
    drained: () => (depth() === 0 ? Promise.resolve() : new Promise(resolve => whenDrained.push(resolve))),
  }
}

function answer(batch: readonly Waiting[], stored: readonly StoredCallback[]): void {
  batch.forEach((entry, at) => {
    const callback = stored[at]
    if (callback === undefined) entry.reject(new StoreUnavailable('the callback was left without an answer'))
    else entry.resolve(callback)
  })
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
