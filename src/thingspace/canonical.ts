import { type JsonObject, rawNumber } from './json-message.ts'

type Names = ReadonlySet<string>

/** Fields that differ between two deliveries of one message: attempt counters, and credentials around a rotation. */
const volatileFields: Names = new Set(['username', 'password', 'callbackcount', 'maxcallbackthreshold'])
const volatileInResponse: Names = new Set(['callbackcount', 'maxcallbackthreshold'])
const nothingVolatile: Names = new Set()
const deviceIdLists: Names = new Set(['deviceids', 'device', 'deviceidentifiercollection'])

/**
 * One text for all deliveries of one message: keys in order, no white space, device ids in order, kinds in lower case,
 * without the four volatile fields. Two messages are the same when these texts are equal.
 */
export function canonicalMessage(message: JsonObject): string {
  let text = ''
  for (const key of inOrder(Object.keys(message))) {
    const name = key.toLowerCase()
    if (volatileFields.has(name)) continue
    const value = message[key]
    const written = name === 'deviceresponse' ? canonicalValue(value, volatileInResponse) : canonicalMember(key, value)
    text = listed(text, `${quoted(key)}:${written}`)
  }
  return `{${text}}`
}

function canonicalMember(key: string, value: unknown): string {
  if (typeof value !== 'object' || value === null) return canonicalLeaf(value)
  return deviceIdLists.has(key.toLowerCase()) ? canonicalDeviceIds(value) : canonicalValue(value, nothingVolatile)
}

function canonicalValue(value: unknown, leaveOut: Names): string {
  if (typeof value !== 'object' || value === null) return canonicalLeaf(value)
  if (Array.isArray(value)) return `[${value.map(item => canonicalValue(item, leaveOut)).join()}]`
  return rawNumber(value) ?? canonicalObject(value as JsonObject, leaveOut)
}

function canonicalObject(object: JsonObject, leaveOut: Names): string {
  let text = ''
  for (const key of inOrder(Object.keys(object))) {
    if (leaveOut.size > 0 && leaveOut.has(key.toLowerCase())) continue
    text = listed(text, `${quoted(key)}:${canonicalMember(key, object[key])}`)
  }
  return `{${text}}`
}

function canonicalDeviceIds(value: unknown): string {
  if (!Array.isArray(value)) return canonicalDeviceId(value)
  return `[${inOrder(value.map(canonicalDeviceId)).join()}]`
}

function canonicalDeviceId(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || rawNumber(value) !== null) {
    return canonicalValue(value, nothingVolatile)
  }
  let text = ''
  for (const key of inOrder(Object.keys(value))) {
    const item = (value as JsonObject)[key]
    const isKind = typeof item === 'string' && key.toLowerCase() === 'kind'
    text = listed(text, `${quoted(key)}:${isKind ? quoted(item.toLowerCase()) : canonicalMember(key, item)}`)
  }
  return `{${text}}`
}

function canonicalLeaf(value: unknown): string {
  return typeof value === 'string' ? quoted(value) : JSON.stringify(value)
}

/** Most of a message needs no escape; for a short text the look is cheaper than JSON.stringify. */
function quoted(text: string): string {
  return /[^\w .:@/+-]/.test(text) ? JSON.stringify(text) : `"${text}"`
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
