import { randomFillSync } from 'node:crypto'

const drawnAtOnce = 512

/** Random bytes, so many for each call, drawn for many calls at a time: asking for few costs as much as asking for many. */
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
