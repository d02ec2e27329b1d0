import { readJsonMessage } from '../thingspace/json-message.ts'
import type { CallbackWriter } from './callback-writer.ts'
import type { Outage } from './outage.ts'
import type { Spool, SpooledCallback, SpoolRow } from './spool.ts'

export interface Drain {
  start(): void
  /** Resolves once no drain is under way. */
  stop(): Promise<void>
}

export interface DrainSpoolOptions {
  spool: Spool
  writer: Pick<CallbackWriter, 'store'>
  outage: Outage
  /** Rejects while the database can't be written. Called in an outage when there is no callback to tell by. */
  probe: () => Promise<void>
  onDrained: (callbacks: number) => void
  /** Callbacks that no available key opens: they stay. */
  onUnopened: (callbacks: number) => void
  onFailure: (error: unknown) => void
}

/** This many at once: two full transactions. Callbacks that arrive meanwhile find room beside them. */
const together = 512
const pauseMs = 200

/**
 * Moves what was spooled into the database, oldest first, the same way as any callback: one that is there already
 * counts as repeated. A row is deleted only after the commit, so a crash in between costs nothing. In an outage one
 * callback after the other is tried, and the first success ends it.
 */
export function drainSpool(options: DrainSpoolOptions): Drain {
  const { spool, writer, outage } = options
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let endPause = () => {}

  async function run(): Promise<void> {
    let place = 0
    while (!stopped) {
      try {
        place = await step(place)
      } catch (error) {
        options.onFailure(error)
        await pause()
      }
    }
  }

  /**
   * One batch. Resolves to the place to continue from: a callback that the database will not take holds up no other.
   */
  async function step(place: number): Promise<number> {
    const away = outage.isOn()
    const rows = spool.after(place, away ? 1 : together)
    const last = rows.at(-1)
    if (last === undefined) return rest(place)
    const unopened = rows.flatMap(row => (row.callback === null ? [row.place] : []))
    if (unopened.length > 0 && isWritten(() => spool.setAside(unopened))) options.onUnopened(unopened.length)
    const done = await store(rows)
    const removed = isWritten(() => spool.remove(done))
    if (removed && done.length > 0) options.onDrained(done.length)
    if (!removed || done.length + unopened.length < rows.length) await pause()
    // The database is back: start from the oldest.
    return away && !outage.isOn() ? 0 : last.place
  }

  /** False: the disk has no room even for that. What stays is known when it comes again, and holds up nothing meanwhile. */
  function isWritten(change: () => void): boolean {
    try {
      change()
      return true
    } catch (error) {
      options.onFailure(error)
      return false
    }
  }

  async function store(rows: readonly SpoolRow[]): Promise<number[]> {
    const outcomes = await Promise.allSettled(
      rows.map(async ({ place, callback }) => {
        if (callback === null) return null
        await writer.store(readAgain(callback))
        return place
      }),
    )
    return outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? (outcome.value ?? []) : []))
  }

  /** At the end: there is nothing to do, or what is left is tried again from the beginning. */
  async function rest(place: number): Promise<number> {
    if (!outage.isOn()) await pause()
    else if (place === 0) await options.probe().then(outage.ended, pause)
    return 0
  }

  function pause(): Promise<void> {
    if (stopped) return Promise.resolve()
    return new Promise(resolve => {
      const timer = setTimeout(resolve, pauseMs)
      endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  return {
    start() {
      running = run()
    },
    async stop() {
      stopped = true
      endPause()
      await running
    },
  }
}

function readAgain(callback: SpooledCallback) {
  const json = readJsonMessage(callback.bytes)
  if (!json.ok) throw new Error(`a spooled callback is no JSON any more: ${json.problem}`)
  return { ...callback, json }
}
