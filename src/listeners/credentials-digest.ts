import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

/** What is kept of a listener's credentials, and compared: of fixed length, so that comparing takes the same time. */
export function credentialsDigest(key: Buffer, username: string, password: string): Buffer {
  return createHmac('sha256', prepared(key))
    .update(JSON.stringify([username, password]))
    .digest()
}

/** Made once a key: every callback is compared, and preparing the key costs five times what the digest does. */
const preparedKeys = new WeakMap<Buffer, KeyObject>()

function prepared(key: Buffer): KeyObject {
  const known = preparedKeys.get(key) ?? createSecretKey(key)
  preparedKeys.set(key, known)
  return known
}
