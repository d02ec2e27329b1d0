import { type JsonObject, rawNumber } from './json-message.ts'

/** Fields that differ between two deliveries of one message: attempt counters, and credentials around a rotation. */
const volatileFields = new Set(['username', 'password', 'callbackcount', 'maxcallbackthreshold'])
const volatileInResponse = new Set(['callbackcount', 'maxcallbackthreshold'])
const deviceIdLists = new Set(['deviceids', 'device', 'deviceidentifiercollection'])

/**
 * One text for all deliveries of one message: keys in order, no white space, device ids in order, kinds in lower case,
 * without the four volatile fields. Two messages are the same when these texts are equal.
 */
export function canonicalMessage(message: JsonObject): string {
  return canonicalObject(message, volatileFields)
}

const nothingVolatile: ReadonlySet<string> = new Set()

function canonicalObject(object: JsonObject, leaveOut: ReadonlySet<string>): string {
  let text = ''
  for (const key of Object.keys(object).sort()) {
    const name = key.toLowerCase()
    if (leaveOut.has(name)) continue
    const value = object[key]
    const written = deviceIdLists.has(name)
      ? canonicalDeviceIds(value)
      : name === 'deviceresponse'
        ? canonicalValue(value, volatileInResponse)
        : canonicalValue(value, nothingVolatile)
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${written}`
  }
  return `{${text}}`
}

function canonicalValue(value: unknown, leaveOut: ReadonlySet<string>): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(item => canonicalValue(item, leaveOut)).join()}]`
  return rawNumber(value) ?? canonicalObject(value as JsonObject, leaveOut)
}

function canonicalDeviceIds(value: unknown): string {
  if (!Array.isArray(value)) return canonicalDeviceId(value)
  return `[${value.map(canonicalDeviceId).sort().join()}]`
}

function canonicalDeviceId(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return canonicalValue(value, nothingVolatile)
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [
    key,
    key.toLowerCase() === 'kind' && typeof item === 'string' ? item.toLowerCase() : item,
  ])
  return canonicalObject(Object.fromEntries(entries), nothingVolatile)
}
