import { byName } from './by-name.ts'
import { type JsonObject, rawNumber } from './json-message.ts'

type Names = ReadonlySet<string>

/** Fields that differ between two deliveries of one message: attempt counters, and credentials around a rotation. */
const volatileFields: Names = new Set(['username', 'password', 'callbackcount', 'maxcallbackthreshold'])
const volatileInResponse: Names = new Set(['callbackcount', 'maxcallbackthreshold'])
const deviceIdLists: Names = new Set(['deviceids', 'device', 'deviceidentifiercollection'])

/** What matters about a field's name, whatever its case. */
interface Field {
  /** How the field begins in the canonical text. */
  start: string
  isVolatile: boolean
  isVolatileInResponse: boolean
  isResponse: boolean
  isDeviceIds: boolean
  isKind: boolean
}

const fieldOf = byName((key): Field => {
  const name = key.toLowerCase()
  return {
    start: `${JSON.stringify(key)}:`,
    isVolatile: volatileFields.has(name),
    isVolatileInResponse: volatileInResponse.has(name),
    isResponse: name === 'deviceresponse',
    isDeviceIds: deviceIdLists.has(name),
    isKind: name === 'kind',
  }
})

/**
 * One text for all deliveries of one message: keys in order, no white space, device ids in order, kinds in lower case,
 * without the four volatile fields. Two messages are the same when these texts are equal.
 */
export function canonicalMessage(message: JsonObject): string {
  let text = ''
  for (const key of inOrder(Object.keys(message))) {
    const field = fieldOf(key)
    if (field.isVolatile) continue
    const value = message[key]
    text = listed(text, field.start + (field.isResponse ? canonicalValue(value, true) : canonicalMember(field, value)))
  }
  return `{${text}}`
}

function canonicalMember(field: Field, value: unknown): string {
  return field.isDeviceIds && isContainer(value) ? canonicalDeviceIds(value) : canonicalValue(value, false)
}

function canonicalValue(value: unknown, inResponse: boolean): string {
  if (!isContainer(value)) return canonicalLeaf(value)
  if (Array.isArray(value)) return canonicalList(value, inResponse)
  return rawNumber(value) ?? canonicalObject(value as JsonObject, inResponse)
}

function canonicalList(values: readonly unknown[], inResponse: boolean): string {
  let text = ''
  for (const value of values) text = listed(text, canonicalValue(value, inResponse))
  return `[${text}]`
}

function canonicalObject(object: JsonObject, inResponse: boolean): string {
  let text = ''
  for (const key of inOrder(Object.keys(object))) {
    const field = fieldOf(key)
    if (inResponse && field.isVolatileInResponse) continue
    text = listed(text, field.start + canonicalMember(field, object[key]))
  }
  return `{${text}}`
}

function canonicalDeviceIds(value: object): string {
  if (!Array.isArray(value)) return canonicalDeviceId(value)
  return `[${inOrder(value.map(canonicalDeviceId)).join()}]`
}

function canonicalDeviceId(value: unknown): string {
  if (!isContainer(value) || Array.isArray(value) || rawNumber(value) !== null) return canonicalValue(value, false)
  let text = ''
  for (const key of inOrder(Object.keys(value))) {
    const field = fieldOf(key)
    const item = (value as JsonObject)[key]
    const written =
      field.isKind && typeof item === 'string' ? canonicalLeaf(item.toLowerCase()) : canonicalMember(field, item)
    text = listed(text, field.start + written)
  }
  return `{${text}}`
}

function canonicalLeaf(value: unknown): string {
  return typeof value === 'string' && !needsEscape.test(value) ? `"${value}"` : JSON.stringify(value)
}

/** Most texts need no escaping, and this check is cheaper than JSON.stringify. */
const needsEscape = /[^\w .:@/+-]/

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function listed(before: string, entry: string): string {
  return before === '' ? entry : `${before},${entry}`
}

function inOrder(texts: string[]): string[] {
  for (let at = 1; at < texts.length; at += 1) {
    if ((texts[at - 1] as string) > (texts[at] as string)) return texts.sort()
  }
  return texts
}
