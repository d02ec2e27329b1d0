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
import { StoreRefused, StoreUnavailable } from './store-errors.ts'
import { takesBytesOf, tryBytesOf } from './takes-bytes.ts'
import { findHeldCallbacks, fingerprintsOf, type Waiting } from './waiting-callback.ts'

export interface BatchWriter {
  /** Resolves when each of them has its answer, or was set aside. */
  write(batch: readonly Waiting[]): Promise<void>
  /** Whether it may crash the server, and so must not share a transaction. */
  mustGoAlone(entry: Waiting): boolean
}

export interface BatchWriterOptions {
  /** null until the database has been reached for the first time. */
  keys: () => Keys | null
  onRetry?: ((refusal: Refusal, error: unknown, callbacks: number) => void) | undefined
  onCommit?: ((callbacks: number, seconds: number) => void) | undefined
  /** null: no traces are kept. */
  tracing?: Pick<Tracing, 'transaction'> | null | undefined
  /** Takes callbacks whose rows somebody else holds: they are to be given again in a moment. */
  setAside: (held: Waiting[]) => void
}

/** After this many tries, a server that hit an internal fault may have hit it at one of these callbacks. */
const triesOfUnwell = 3
/** A key that another transaction inserted first is visible to the next try: after this many it is no race. */
const triesOfConflict = 5

/**
 * Writes callbacks that share a transaction, and tries again until they are stored or given up. One that the database
 * refuses is found by halving its batch, and quarantined; its neighbours are stored. So is one that always makes the
 * server fail, or crash.
 */
export function createBatchWriter(db: PipelinedDatabase, options: BatchWriterOptions): BatchWriter {
  const { keys, onRetry, onCommit, tracing = null, setAside } = options
  const deadly = watchDeadlyCallbacks()

  async function writeBatch(batch: readonly Waiting[], triedBefore = 0): Promise<void> {
    // Without those that were set aside: they come again in another batch, and must not be written in both.
    let wanted = batch
    for (let attempt = triedBefore + 1; ; attempt += 1) {
      wanted = wanted.filter(entry => !entry.givenUp && !entry.answered)
      let bytesTaken = false
      try {
        if (wanted.some(entry => entry.suspect)) wanted = await withoutHeld(wanted)
        if (wanted.length === 0) return
        bytesTaken = await tryBytesOfSuspect(wanted)
        return answer(wanted, await writeOnce(wanted))
      } catch (error) {
        const refusal = refusalOf(error)
        for (const { prepared } of wanted) if (prepared !== null) prepared.tried = true
        onRetry?.(refusal, error, wanted.length)
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
    onCommit?.(incoming.length, (performance.now() - started) / 1_000)
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

  /** Callbacks whose rows somebody else holds wait outside of a transaction; the others are returned, to proceed. */
  async function withoutHeld(batch: readonly Waiting[]): Promise<Waiting[]> {
    const isHeld = await db.transaction(async trx => ({ written: findHeldCallbacks(trx, batch) }))
    setAside(batch.filter(isHeld))
    return batch.filter(entry => !isHeld(entry))
  }

  return { write: batch => writeBatch(batch), mustGoAlone }
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
