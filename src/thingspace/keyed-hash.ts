import { createHmac, createSecretKey, type Hmac, type KeyObject } from 'node:crypto'

/** HMAC-SHA-256. Keyed wherever a password is part of what is hashed: a plain hash would let one guess it. */
export function keyedHash(key: Buffer): Hmac {
  return createHmac('sha256', prepared(key))
}

/** Prepared once per key: doing it for each message would cost more than all that is hashed. */
const preparedKeys = new WeakMap<Buffer, KeyObject>()

function prepared(key: Buffer): KeyObject {
  const known = preparedKeys.get(key) ?? createSecretKey(key)
  preparedKeys.set(key, known)
  return known
}
