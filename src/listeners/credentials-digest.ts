import { createHmac } from 'node:crypto'

/** What is kept of a listener's credentials, and compared: of fixed length, so that comparing takes the same time. */
export function credentialsDigest(key: Buffer, username: string, password: string): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify([username, password]))
    .digest()
}
