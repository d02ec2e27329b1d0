import { randomFillSync } from 'node:crypto'

const drawnAtOnce = 512

/** Returns this many random bytes per call, drawn for many calls at once: drawing few costs as much as drawing many. */
export function randomBytesOf(length: number): () => Buffer {
  const pool = Buffer.alloc(length * drawnAtOnce)
  let used = pool.length
  return () => {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    used += length
    return Buffer.from(pool.subarray(used - length, used))
  }
}
