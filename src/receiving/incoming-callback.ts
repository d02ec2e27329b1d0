import { callbackSeal } from '../secrets/callback-seal.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { fingerprint } from '../thingspace/fingerprint.ts'
import type { JsonMessage } from '../thingspace/json-message.ts'
import { type Reading, readCallback } from '../thingspace/read-callback.ts'
import { takeSecretsOut } from '../thingspace/secrets-in-callback.ts'
import { tellLoginsApart } from '../thingspace/tell-logins-apart.ts'

/** An authentic message, parsed, with its secrets sealed: what the writer takes. */
export interface IncomingCallback {
  id: string
  accountName: string
  serviceName: string
  fingerprint: string
  reading: Reading
  /** JSON text without secrets; null when only the exact bytes are kept. */
  body: string | null
  sealed: Buffer | null
  sealKeyId: string | null
  /** An earlier try to store it failed: if that was committed after all, this delivery is counted already. */
  tried?: boolean
  /** See `Authentic`. */
  spooledAt?: Date | undefined
}

export interface Authentic {
  id: string
  accountName: string
  serviceName: string
  bytes: Buffer
  json: Extract<JsonMessage, { ok: true }>
  /** When it came, if that was long ago, because it lay in the spool. */
  spooledAt?: Date | undefined
}

export interface Keys {
  sealer: Sealer
  fingerprintKey: Buffer
}

/** From an authentic message to what is stored of it. Pure, except for the randomness of sealing. */
export function prepareCallback(message: Authentic, keys: Keys): IncomingCallback {
  const reading = readCallback(message.json)
  return reading.kind === 'unreadable' ? keepBytes(message, reading, keys) : keepBody(message, reading, keys)
}

/**
 * For a message that is readable but that the database will not take: stored like an unreadable one, so that nothing is
 * lost.
 */
export function quarantineCallback(message: Authentic, reason: string, keys: Keys): IncomingCallback {
  const { requestId, callbackCount } = readCallback(message.json)
  return keepBytes(message, { kind: 'unreadable', requestId, callbackCount, reason }, keys)
}

function keepBody(message: Authentic, reading: Reading, keys: Keys): IncomingCallback {
  const { body, secrets } = takeSecretsOut(message.json.message)
  const sealed =
    secrets === null ? null : keys.sealer.seal(Buffer.from(JSON.stringify(secrets)), callbackSeal(message.id))
  const told = secrets === null ? reading : tellLoginsApart(reading, message.json.message, secrets, keys.fingerprintKey)
  return { ...common(message, told, keys), body, sealed: sealed?.sealed ?? null, sealKeyId: sealed?.keyId ?? null }
}

function keepBytes(message: Authentic, reading: Reading, keys: Keys): IncomingCallback {
  const { sealed, keyId } = keys.sealer.seal(message.bytes, callbackSeal(message.id))
  return { ...common(message, reading, keys), body: null, sealed, sealKeyId: keyId }
}

function common({ id, accountName, serviceName, json, bytes, spooledAt }: Authentic, reading: Reading, keys: Keys) {
  return {
    id,
    accountName,
    serviceName,
    spooledAt,
    reading,
    fingerprint: fingerprint(keys.fingerprintKey, accountName, json, bytes),
  }
}
