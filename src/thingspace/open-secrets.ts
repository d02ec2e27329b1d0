import type { JsonObject } from './json-message.ts'
import type { Secrets } from './secrets-in-callback.ts'

/** The message with its secrets where they stood. Changes the message that it is given. */
export function putSecretsBack(message: JsonObject, secrets: Secrets): JsonObject {
  for (const [pointer, secret] of Object.entries(secrets)) {
    const names = pointerNames(pointer)
    const last = names.pop() ?? ''
    const holder = at(message, names)
    if (typeof holder === 'object' && holder !== null) (holder as JsonObject)[last] = secret
  }
  return message
}

/**
 * The device credential of one profile. A callback may speak of several profiles, each with its own: the one is meant
 * whose profile response names the ICCID, or the only one there is.
 */
export function credentialOf(
  message: JsonObject,
  secrets: Secrets,
  iccid: string,
): { username: string | null; password: string | null } {
  const found = Object.entries(secrets).filter(([pointer]) => /\/deviceCredential$/i.test(pointer))
  const named = found.find(([pointer]) => names(at(message, pointerNames(pointer).slice(0, -1)), iccid))
  const [, credential] = named ?? (found.length === 1 ? found[0] : undefined) ?? []
  const { username, password } = (credential ?? {}) as JsonObject
  return {
    username: typeof username === 'string' ? username : null,
    password: typeof password === 'string' ? password : null,
  }
}

/**
 * Without the secrets of one profile. One that stands in what names a profile is that profile's; any other could be
 * anybody's, and stays only when what names another profile holds it.
 */
export function secretsOfOthers(message: JsonObject, secrets: Secrets, iccid: string): Secrets {
  return Object.fromEntries(
    Object.entries(secrets).filter(([pointer]) => {
      const holder = at(message, pointerNames(pointer).slice(0, -1))
      return holder !== message && namesAnIccid(holder) && !names(holder, iccid)
    }),
  )
}

function namesAnIccid(holder: unknown): boolean {
  return /"kind":"iccid"/i.test(JSON.stringify(holder ?? null))
}

function names(profile: unknown, iccid: string): boolean {
  return JSON.stringify(profile ?? null).includes(JSON.stringify(iccid))
}

function at(message: JsonObject, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (value as JsonObject | undefined)?.[name], message)
}

/** The steps of a JSON pointer (RFC 6901). */
function pointerNames(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map(name => name.replaceAll('~1', '/').replaceAll('~0', '~'))
}
