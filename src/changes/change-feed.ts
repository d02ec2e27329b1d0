import type { Logger } from 'pino'
import { changesChannel } from '../correlation/append-changes.ts'
import { listenTo } from '../database/listen.ts'
import type { SeenBy } from '../database/seen-by.ts'
import type { Accounts } from '../operating/access.ts'
import { HttpError } from '../operating/http-error.ts'
import type { ChangeRow, Place } from './change-view.ts'
import { type ChangeFilter, type FoundChanges, findChanges, lets } from './find-changes.ts'

export interface ChangeFeed {
  /**
   * Changes after a place: from memory if it reaches back far enough, otherwise from the database. Throws 410 when some
   * of them have been deleted, or the place is gone, so that no reader misses one without being told.
   */
  read(place: Place, filter: ChangeFilter, accounts: Accounts, limit: number): Promise<FoundChanges>
  /** Resolves when the feed has grown past an id, when the time is over, or when the signal aborts. */
  grown(past: bigint, milliseconds: number, signal: AbortSignal): Promise<void>
  /** Catches up with the feed: whatever was committed before the call is known after it. */
  look(): Promise<void>
  /** The id of the last change known so far. */
  head(): bigint
  /** How many wait for a change right now, by poll or by stream. */
  readers(): number
  start(): Promise<void>
  stop(): Promise<void>
}

const kept = 10_000
const atOnce = 1_000
const lookEveryMs = 1_000

/**
 * One reader of the feed per process, however many callers wait: it looks whenever a commit is announced, keeps the
 * newest changes in memory and wakes the waiting. So thousands of waiting readers cost one connection, and a slow one
 * delays nobody.
 */
export function createChangeFeed(seenBy: SeenBy, databaseUrl: string, log: Logger): ChangeFeed {
  let newest: ChangeRow[] = []
  let start = 0n
  let end = 0n
  let current: Promise<void> | null = null
  let following: Promise<void> | null = null
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let stopListening: () => Promise<void> = async () => undefined
  /** Something was committed, or may have been, since the last look. */
  let stale = false
  const waiting = new Set<() => void>()

  /** Resolves after a look that began after this call. Concurrent callers share it. */
  function look(): Promise<void> {
    if (current === null) {
      current = lookNow().finally(() => {
        current = null
      })
      return current
    }
    following ??= current
      .catch(() => undefined)
      .then(() => {
        following = null
        return look()
      })
    return following
  }

  /** Most of the time nobody waits, and receiving should not pay for what nobody reads. */
  function onNotice(): void {
    stale = true
    if (waiting.size > 0) lookAside()
  }

  function lookAside(): void {
    stale = false
    look().catch(error => log.warn({ err: error }, 'the feed of changes could not be read'))
  }

  async function lookNow(): Promise<void> {
    for (;;) {
      const { rows, upTo, deletedTo, isBehindEnd } = await findChanges(seenBy('*'), end, {}, '*', atOnce)
      const grew = upTo > end || isBehindEnd
      if (isBehindEnd) {
        // Memory holds what never happened in the state that was restored.
        newest = []
        start = upTo
      }
      if (deletedTo > end) {
        // Some changes were deleted before they were read: memory can not answer for them.
        newest = rows.filter(({ id }) => BigInt(id) > deletedTo)
        start = deletedTo
      } else newest = newest.concat(rows)
      end = upTo
      if (newest.length > kept) {
        const dropped = newest.splice(0, newest.length - kept)
        start = BigInt(dropped.at(-1)?.id ?? start)
      }
      if (grew) for (const wake of [...waiting]) wake()
      if (rows.length < atOnce) return
      await skipWhatIsTooMuch()
    }
  }

  /**
   * After a time without readers there may be more than is kept in memory: whoever asks for those gets them from the
   * database.
   */
  async function skipWhatIsTooMuch(): Promise<void> {
    const { upTo } = await findChanges(seenBy('*'), end, {}, '*', 0)
    if (upTo - end <= BigInt(kept)) return
    newest = []
    start = upTo
    end = upTo
    for (const wake of [...waiting]) wake()
  }

  return {
    look,
    head: () => end,
    readers: () => waiting.size,
    async read({ id, thinned }, filter, accounts, limit) {
      if (id < start || id > end) {
        const found = await findChanges(seenBy(accounts), id, filter, accounts, limit)
        if (found.isBehindEnd) throw new HttpError(410, gone)
        if (!thinned && found.deletedTo > id) throw new HttpError(410, tooLate)
        return found
      }
      const first = firstAfter(newest, id)
      const rows: ChangeRow[] = []
      for (let at = first; at < newest.length && rows.length < limit; at += 1) {
        const change = newest[at]
        if (change !== undefined && lets(filter, accounts, change)) rows.push(change)
      }
      const last = rows.at(-1)
      return {
        rows,
        upTo: last !== undefined && rows.length === limit ? BigInt(last.id) : end,
        deletedTo: 0n,
        isBehindEnd: false,
      }
    },
    grown(past, milliseconds, signal) {
      if (end > past || signal.aborted) return Promise.resolve()
      return new Promise(resolve => {
        const wake = () => {
          clearTimeout(over)
          waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        const over = setTimeout(wake, milliseconds)
        signal.addEventListener('abort', wake)
        waiting.add(wake)
        if (stale) lookAside()
      })
    },
    async start() {
      const { upTo } = await findChanges(seenBy('*'), 0n, {}, '*', 0)
      // A reader may have come before, and had more looked at meanwhile: to begin here would be to read that twice.
      if (upTo > end) {
        newest = []
        start = upTo
        end = upTo
      }
      const stop = await listenTo(databaseUrl, changesChannel, onNotice, log)
      // It may have been stopped in the meantime, and would otherwise listen for ever.
      if (stopped) return stop()
      stopListening = stop
      timer = setInterval(onNotice, lookEveryMs)
      timer.unref()
    },
    async stop() {
      stopped = true
      clearInterval(timer)
      await stopListening()
      for (const wake of [...waiting]) wake()
      await following?.catch(() => undefined)
      await current?.catch(() => undefined)
    },
  }
}

const tooLate = 'query parameter: after is a cursor from before changes that were deleted; begin without it'
const gone =
  'query parameter: after is a cursor of changes that are gone, as when an older state is restored; begin without it'

/** Index of the first change after an id; they are in order. */
function firstAfter(changes: readonly ChangeRow[], after: bigint): number {
  let [low, high] = [0, changes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (BigInt(changes[middle]?.id ?? 0) > after) high = middle
    else low = middle + 1
  }
  return low
}
