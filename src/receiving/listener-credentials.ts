import { timingSafeEqual } from 'node:crypto'
import { credentialsDigest } from '../listeners/credentials-digest.ts'
import type { JsonMessage } from '../thingspace/json-message.ts'

/** One listener as we keep it: only digests, of the current credentials and of the previous ones. */
export interface ListenerCredentials {
  accountName: string
  serviceName: string
  accepted: AcceptedCredentials[]
}

export interface AcceptedCredentials {
  digest: Buffer
  /** The key of the digest. */
  key: Buffer
  /** Epoch milliseconds. */
  until: number
}

/**
 * True when the message carries this listener's credentials, at its top, in clear ([DOC], fact sheet 1.2). The carrier
 * goes on sending the old password for up to 14 minutes after a rotation [OBS], so the previous one is accepted as
 * well. Credentials that occur twice are not accepted: two readers might each believe a different one.
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
  return listener.accepted.reduce(
    (found, { digest, key }) => timingSafeEqual(digest, credentialsDigest(key, name, secret)) || found,
    false,
  )
}

function isCredential(key: string): boolean {
  return /^(username|password)$/i.test(key)
}
