import { type BusyLoop, watchLoop } from './busy-loop.ts'
import type { CallbackWriter } from './callback-writer.ts'
import { StoreBusy } from './store-errors.ts'

export interface AdmittingWriter extends CallbackWriter {
  /** Whether a callback that arrives now would wait in vain. */
  isFull(): boolean
}

/** How many may wait: before anything is known of the database's speed, at least, and at most. */
const atFirst = 1_000
export const leastWaiting = 256
const most = 5_000
/** A callback is given up after 1.8 seconds, so no more may wait than were committed in a fraction of that. */
const shareOfSecond = 0.6
/**
 * This many keep the transactions full. No more while this process itself is behind: further ones would not even be
 * read.
 */
const whenBehind = 512
const windowMs = 1_000
const busyAt = 200

/**
 * Refuses at once what would wait in vain: it would be refused in the end anyway, but late, and the work on it would be
 * taken from others. How many may wait follows from how many were committed in the last second in which many waited. If
 * at some moment of a second in which others were refused hardly any waited, there was room for those, and twice as
 * many are let in from then on. Otherwise a number learned in the worst second of a flood would perpetuate itself.
 */
export function admitEarly(
  writer: CallbackWriter,
  now: () => number = () => performance.now(),
  loop: BusyLoop = watchLoop(),
): AdmittingWriter {
  let under = 0
  let limit = atFirst
  let window = { since: now(), committed: 0, fewest: 0, refused: false }

  function isFull(): boolean {
    const passed = now() - window.since
    if (passed >= windowMs) {
      limit = learned((window.committed * 1_000) / passed)
      window = { since: now(), committed: 0, fewest: under, refused: false }
    }
    const behind = loop.isBehind()
    const full = under >= (behind ? Math.min(limit, whenBehind) : limit)
    if (full) window.refused = true
    if (full && behind) loop.refused()
    return full
  }

  function learned(perSecond: number): number {
    if (window.fewest >= busyAt) return Math.min(most, Math.max(leastWaiting, Math.round(perSecond * shareOfSecond)))
    return window.refused ? Math.min(most, limit * 2) : limit
  }

  return {
    ...writer,
    isFull,
    async store(message) {
      if (isFull()) throw new StoreBusy('as many callbacks wait as can be committed in time')
      under += 1
      try {
        const stored = await writer.store(message)
        window.committed += 1
        return stored
      } finally {
        under -= 1
        window.fewest = Math.min(window.fewest, under)
      }
    },
  }
}
