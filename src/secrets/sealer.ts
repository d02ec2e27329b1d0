import { createCipheriv, createDecipheriv, createHash, createSecretKey } from 'node:crypto'
import { randomBytesOf } from './random-bytes.ts'

export interface Sealed {
  sealed: Buffer
  keyId: string
}

export interface Sealer {
  /** AES-256-GCM under the current key. `boundTo` names the row: sealed bytes moved to another row do not open. */
  seal(plain: Buffer, boundTo: string): Sealed
  /** Throws `CannotOpen` when the key is gone, the row is a different one, or the bytes were changed. */
  open(sealed: Buffer, keyId: string, boundTo: string): Buffer
  currentKeyId: string
}

export class CannotOpen extends Error {
  override name = 'CannotOpen'
}

const nonceBytes = 12
const tagBytes = 16

/** Keys are 32 bytes each: the first seals, all open. */
export function createSealer(current: Buffer, previous: readonly Buffer[] = []): Sealer {
  const keys = new Map([current, ...previous].map(key => [keyIdOf(key), createSecretKey(key)]))
  const sealingKey = createSecretKey(current)
  const nextNonce = randomBytesOf(nonceBytes)
  const currentKeyId = keyIdOf(current)
  return {
    currentKeyId,
    seal(plain, boundTo) {
      const nonce = nextNonce()
      const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce).setAAD(Buffer.from(boundTo))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return { sealed: Buffer.concat([nonce, cipher.getAuthTag(), body]), keyId: currentKeyId }
    },
    open(sealed, keyId, boundTo) {
      const key = keys.get(keyId)
      if (key === undefined) throw new CannotOpen(`no key with id ${keyId}: add it to SEAL_KEYS_PREVIOUS`)
      try {
        const nonce = sealed.subarray(0, nonceBytes)
        // With its length given, a truncated tag is refused instead of being easier to forge.
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
        decipher.setAAD(Buffer.from(boundTo)).setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes))
        return Buffer.concat([decipher.update(sealed.subarray(nonceBytes + tagBytes)), decipher.final()])
      } catch (cause) {
        throw new CannotOpen('the sealed bytes were changed, or belong to another row', { cause })
      }
    },
  }
}

/** Tells keys apart without revealing anything about the key. */
export function keyIdOf(key: Buffer): string {
  return createHash('sha256').update('seal key id\n').update(key).digest('hex').slice(0, 12)
}
