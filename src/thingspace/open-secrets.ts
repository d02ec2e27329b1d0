import { isObject } from './callback.ts'
import { normalIdentifier, normalKind } from './identifiers.ts'
import { type JsonObject, rawNumber } from './json-message.ts'
import type { Secrets } from './secrets-in-callback.ts'

/** The message with its secrets back in place. Changes the message that it is given. */
export function putSecretsBack(message: JsonObject, secrets: Secrets): JsonObject {
  for (const [pointer, secret] of Object.entries(secrets)) {
    const names = pointerNames(pointer)
    const last = names.pop() ?? ''
    const holder = at(message, names)
    if (typeof holder === 'object' && holder !== null) (holder as JsonObject)[last] = secret
  }
  return message
}

export interface Login {
  username: string | null
  password: string | null
}

/**
 * The device credential of one profile. A callback may mention several profiles, each with its own credential: the one
 * whose profile response names the ICCID is meant. If none names it, the only credential is meant, unless it belongs to
 * another ICCID. null when there is none.
 */
export function credentialOf(message: JsonObject, secrets: Secrets, iccid: string): Login | null {
  return credentialsIn(message, secrets)(iccid)
}

/** The same for each of many profiles, of which a message may name hundreds: it is gone through once for all of them. */
export function credentialsIn(message: JsonObject, secrets: Secrets): (iccid: string) => Login | null {
  const found = Object.entries(secrets)
    .filter(([pointer]) => /\/deviceCredential$/i.test(pointer))
    .map(([pointer, credential]) => ({ credential, holder: holderOf(message, pointer) }))
  const named = new Map<string, unknown>()
  for (const { credential, holder } of found) {
    for (const text of textsIn(holder)) {
      const iccid = normalIdentifier('iccid', text)
      if (!named.has(iccid)) named.set(iccid, credential)
    }
  }
  const [only, ...others] = found
  const lone = only !== undefined && others.length === 0 && !namesAnIccid(only.holder) ? only.credential : undefined
  return iccid => {
    const meant = named.has(iccid) ? named.get(iccid) : lone
    return meant === undefined ? null : { username: textOf(meant, 'username'), password: textOf(meant, 'password') }
  }
}

function textsIn(value: unknown): string[] {
  return typeof value === 'string' ? [value] : inside(value).flatMap(textsIn)
}

/** Keys change their case, and a text of digits its type: as everywhere in a message. */
function textOf(credential: unknown, name: string): string | null {
  const [, value] = Object.entries(credential ?? {}).find(([key]) => key.toLowerCase() === name) ?? []
  const text = typeof value === 'number' ? String(value) : (rawNumber(value) ?? value)
  return typeof text === 'string' ? text : null
}

/**
 * The secrets without those of one profile. One inside something that names a profile belongs to that profile; any
 * other could be anybody's, and is kept only if something that names another profile contains it.
 */
export function secretsOfOthers(message: JsonObject, secrets: Secrets, iccid: string): Secrets {
  return Object.fromEntries(
    Object.entries(secrets).filter(([pointer]) => {
      const holder = holderOf(message, pointer)
      return holder !== message && namesAnIccid(holder) && !namesIccid(holder, iccid)
    }),
  )
}

/** Whether that ICCID occurs anywhere inside, in whatever form the carrier wrote it. */
export function namesIccid(value: unknown, iccid: string): boolean {
  return textsIn(value).some(text => normalIdentifier('iccid', text) === iccid)
}

function namesAnIccid(value: unknown): boolean {
  const isIccid = ([key, item]: [string, unknown]) =>
    key.toLowerCase() === 'kind' && typeof item === 'string' && normalKind(item) === 'iccid'
  return (isObject(value) && Object.entries(value).some(isIccid)) || inside(value).some(namesAnIccid)
}

function inside(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : []
}

function holderOf(message: JsonObject, pointer: string): unknown {
  return at(message, pointerNames(pointer).slice(0, -1))
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
