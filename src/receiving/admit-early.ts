import { type CallbackWriter, StoreBusy } from './callback-writer.ts'

const longestWaitMs = 1_000
/** So many must have waited that long: a few that wait for a row which somebody holds tell nothing of the others. */
const enough = 200

/**
 * Refuses at once what would wait in vain: when many that came before have waited long and are not committed yet, one
 * that comes now would be refused in the end, but late, and its place in the queue would be another's loss.
 */
export function admitEarly(writer: CallbackWriter, now: () => number = () => performance.now()): CallbackWriter {
  const under = new Set<{ since: number }>()

  function isLate(): boolean {
    if (under.size < enough) return false
    const before = now() - longestWaitMs
    let late = 0
    // In the order in which they came.
    for (const { since } of under) {
      if (since > before) return false
      late += 1
      if (late === enough) return true
    }
    return false
  }

  return {
    ...writer,
    async store(message) {
      if (isLate()) throw new StoreBusy('callbacks wait longer than they can')
      const entry = { since: now() }
      under.add(entry)
      try {
        return await writer.store(message)
      } finally {
        under.delete(entry)
      }
    },
  }
}
