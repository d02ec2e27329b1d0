import { byName } from './by-name.ts'
import type { JsonObject } from './json-message.ts'

export const sealedMark = '[sealed]'

/** Where each secret stood, as a JSON pointer (RFC 6901), and what it was. */
export type Secrets = { [pointer: string]: unknown }

export interface TakenApart {
  /** The message as JSON text with `"[sealed]"` in place of every secret. */
  body: string
  /** What must be sealed; null when the message held none. Listener credentials are dropped, not sealed. */
  secrets: Secrets | null
}

/**
 * Keys whose values are secret wherever they occur, by how they end; `deviceCredential` is the documented one ([DOC],
 * seed). The carrier adds fields without notice: better one value too many sealed than one in clear.
 */
const secretKey =
  /(?:user[-_]?name|passw(?:or)?d|pass[-_]?(?:phrase|code|key)|pwd|pin|puk|secret|token|credential|(?:api|private|secret|access)[-_]?key|authorization)s?\d*$/i
const listenerCredentials = new Set(['username', 'password'])

const fieldOf = byName(key => ({
  isSecret: secretKey.test(key),
  isListenerCredential: listenerCredentials.has(key.toLowerCase()),
  /** As it is written in a pointer. */
  escaped: key.replaceAll('~', '~0').replaceAll('/', '~1'),
}))

/** Takes the secrets out of a message, so that what is left may be stored and shown. */
export function takeSecretsOut(message: JsonObject): TakenApart {
  const secrets: Secrets = {}
  const body = JSON.stringify(withoutSecrets(message, '', secrets))
  return { body, secrets: Object.keys(secrets).length === 0 ? null : secrets }
}

/** The value itself if it contains no secret; only what leads to one is copied. */
function withoutSecrets(value: object, pointer: string, secrets: Secrets): object {
  if (Array.isArray(value)) {
    return value.map((item, at) => (isContainer(item) ? withoutSecrets(item, `${pointer}/${at}`, secrets) : item))
  }
  let kept = value as JsonObject
  for (const key of Object.keys(value)) {
    const item = (value as JsonObject)[key]
    const left = leftOf(key, item, pointer, secrets)
    if (left === item) continue
    if (kept === value) kept = { ...value }
    // The copy has an own property of this name already, so even `__proto__` is just a key here.
    kept[key] = left
  }
  return kept
}

function leftOf(key: string, item: unknown, pointer: string, secrets: Secrets): unknown {
  const field = fieldOf(key)
  if (pointer === '' && field.isListenerCredential) return sealedMark
  const isSecret = item !== null && field.isSecret
  if (!isSecret && !isContainer(item)) return item
  const here = `${pointer}/${field.escaped}`
  if (!isSecret) return withoutSecrets(item as object, here, secrets)
  secrets[here] = item
  return sealedMark
}

/** Also true for a number kept with its digits, which holds no secret. */
function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
