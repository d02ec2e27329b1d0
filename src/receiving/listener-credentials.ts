import { createHash, timingSafeEqual } from 'node:crypto'
import type { JsonMessage } from '../thingspace/json-message.ts'

/** One listener as we keep it: digests only, of the current and the previous credentials. */
export interface ListenerCredentials {
  accountName: string
  serviceName: string
  accepted: Buffer[]
}

/** A digest of fixed length, so that comparing takes the same time for any input. */
export function credentialsDigest(username: string, password: string): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([username, password]))
    .digest()
}

/**
 * True when the message carries this listener's credentials, at its top, in clear ([DOC], fact sheet 1.2). The carrier
 * goes on sending the old password for up to 14 minutes after a rotation [OBS], so the previous one is taken as well.
 * Credentials that stand twice are not credentials: two readers could take different ones for true.
 */
export function isAuthentic(listener: ListenerCredentials, json: Extract<JsonMessage, { ok: true }>): boolean {
  if (json.duplicateKeys.some(({ key, depth }) => depth === 1 && isCredential(key))) return false
  const given = Object.entries(json.message).filter(([key]) => isCredential(key))
  const username = given.filter(([key]) => key.toLowerCase() === 'username')
  const password = given.filter(([key]) => key.toLowerCase() === 'password')
  const [[, name] = []] = username
  const [[, secret] = []] = password
  const single = username.length === 1 && password.length === 1
  if (!single || typeof name !== 'string' || typeof secret !== 'string') return false
  const digest = credentialsDigest(name, secret)
  return listener.accepted.reduce((found, accepted) => timingSafeEqual(accepted, digest) || found, false)
}

function isCredential(key: string): boolean {
  return /^(username|password)$/i.test(key)
}
