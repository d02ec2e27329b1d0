import { v7 as uuidv7 } from 'uuid'
import { randomBytesOf } from '../secrets/random-bytes.ts'

const random = randomBytesOf(16)
let msecs = 0
let seq = 0

/** A UUIDv7. Within this process ids are in the order in which they were issued, even within one millisecond. */
export function nextCallbackId(): string {
  const bytes = random()
  const now = Date.now()
  seq = now > msecs ? bytes.readUInt32BE() >>> 1 : seq + 1
  msecs = Math.max(msecs, now)
  return uuidv7({ msecs, seq, random: bytes })
}
