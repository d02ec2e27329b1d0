import { type JsonObject, rawNumber } from './json-message.ts'

export const sealedMark = '[sealed]'

/** Where each secret stood, as a JSON pointer (RFC 6901), and what it was. */
export type Secrets = { [pointer: string]: unknown }

export interface TakenApart {
  /** The message as JSON text with `"[sealed]"` in place of every secret. */
  body: string
  /** What must be sealed; null when the message held none. Listener credentials are dropped, not sealed. */
  secrets: Secrets | null
}

/** Keys whose values are secret wherever they stand; `deviceCredential` is the documented one ([DOC], seed). */
const secretKeys = new Set([
  'devicecredential',
  'devicecredentials',
  'credential',
  'credentials',
  'password',
  'passwd',
  'secret',
  'token',
])
const listenerCredentials = new Set(['username', 'password'])

/** Takes the secrets out of a message, so that what is left may be stored and shown. */
export function takeSecretsOut(message: JsonObject): TakenApart {
  const secrets: Secrets = {}
  const body = JSON.stringify(withoutSecrets(message, '', secrets))
  return { body, secrets: Object.keys(secrets).length === 0 ? null : secrets }
}

function withoutSecrets(value: unknown, pointer: string, secrets: Secrets): unknown {
  if (typeof value !== 'object' || value === null || rawNumber(value) !== null) return value
  if (Array.isArray(value)) return value.map((item, at) => withoutSecrets(item, `${pointer}/${at}`, secrets))
  const isTop = pointer === ''
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name = key.toLowerCase()
      if (isTop && listenerCredentials.has(name)) return [key, sealedMark]
      const here = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
      if (!secretKeys.has(name) || item === null) return [key, withoutSecrets(item, here, secrets)]
      secrets[here] = item
      return [key, sealedMark]
    }),
  )
}
