import { canonicalMessage } from './canonical.ts'
import type { JsonMessage } from './json-message.ts'
import { keyedHash } from './keyed-hash.ts'

/**
 * What makes two deliveries the same message: 128 bits of an HMAC-SHA-256 over the canonical message and its account,
 * written as a UUID. Keyed, because messages hold passwords that a plain hash would let one guess.
 *
 * Where the canonical text can't tell two messages apart (invalid UTF-8, a key that stands twice), the bytes decide.
 */
export function fingerprint(
  key: Buffer,
  accountName: string,
  json: Extract<JsonMessage, { ok: true }>,
  bytes: Buffer,
): string {
  const ambiguous = json.defects.includes('invalid-utf8') || json.defects.includes('duplicate-key')
  const mac = keyedHash(key)
  if (ambiguous) mac.update(`${accountName}\nbytes\n`).update(bytes)
  else mac.update(`${accountName}\n${canonicalMessage(json.message)}`)
  const hex = mac.digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}
