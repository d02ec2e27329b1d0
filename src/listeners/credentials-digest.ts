import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

/**
 * What is kept of a listener's credentials, and compared. The length is fixed, so comparing always takes the same time.
 */
export function credentialsDigest(key: Buffer, username: string, password: string): Buffer {
  return createHmac('sha256', prepared(key))
    .update(JSON.stringify([username, password]))
    .digest()
}

/** Prepared once per key: every callback is compared, and preparing the key costs five times as much as the digest. */
const preparedKeys = new WeakMap<Buffer, KeyObject>()

function prepared(key: Buffer): KeyObject {
  const known = preparedKeys.get(key) ?? createSecretKey(key)
  preparedKeys.set(key, known)
  return known
}
