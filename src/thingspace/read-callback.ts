import { AmbiguousField, type Callback, callbackShape, foldCallback, isObject } from './callback.ts'
import { type Identifier, normalIdentifier, normalKind } from './identifiers.ts'
import type { JsonMessage, JsonObject } from './json-message.ts'
import { readReports } from './read-reports.ts'
import { readStatus } from './read-status.ts'
import type { Report } from './report.ts'

export type Reading =
  | { kind: 'reports'; requestId: string; callbackCount: number | null; reports: Report[]; reason: string | null }
  | { kind: 'other'; requestId: string; callbackCount: number | null; reason: string }
  | { kind: 'unreadable'; requestId: string | null; callbackCount: number | null; reason: string }

/**
 * From their words to ours. Never throws over the content of a message: what can't be read is `unreadable`, with a
 * reason that quotes nothing of the message.
 */
export function readCallback(json: Extract<JsonMessage, { ok: true }>): Reading {
  const folded = foldOrReason(json.message)
  if (typeof folded === 'string') return unreadable({}, folded)
  if (json.defects.length > 0) return unreadable(folded, json.defects.join(', '))
  if (!callbackShape.Check(folded)) return unreadable(folded, shapeProblem(folded))

  const callbackCount = readCounter(folded)
  const { requestId } = folded
  const foreignKind = otherKind(json.message, folded)
  if (foreignKind !== null) return { kind: 'other', requestId, callbackCount, reason: foreignKind }

  const status = readStatus(folded)
  const reports = readReports(folded)
  if (reports.length === 0) return { kind: 'other', requestId, callbackCount, reason: 'names no device' }
  return { kind: 'reports', requestId, callbackCount, reports, reason: status.reason }
}

/** The identifiers at the top of a message, in normal form, for showing it. */
export function readDeviceIds(message: JsonObject): Identifier[] {
  const folded = foldOrReason(message)
  if (typeof folded === 'string' || !Array.isArray(folded.deviceIds)) return []
  return folded.deviceIds.flatMap(entry =>
    isObject(entry) && typeof entry.kind === 'string' && typeof entry.id === 'string'
      ? [{ kind: normalKind(entry.kind), id: normalIdentifier(normalKind(entry.kind), entry.id) }]
      : [],
  )
}

function foldOrReason(message: JsonObject): JsonObject | string {
  try {
    return foldCallback(message)
  } catch (error) {
    if (error instanceof AmbiguousField) return error.message
    throw error
  }
}

function unreadable(folded: JsonObject, reason: string): Reading {
  const { requestId } = folded
  const sane = typeof requestId === 'string' && /^[A-Za-z0-9-]{3,64}$/.test(requestId)
  return { kind: 'unreadable', requestId: sane ? requestId : null, callbackCount: readCounter(folded), reason }
}

/** Names the first field that has the wrong type, by our spelling of its path; never its value. */
function shapeProblem(folded: JsonObject): string {
  const [first] = callbackShape.Errors(folded)
  const path = first?.instancePath.replaceAll('/', '.').slice(1)
  if (folded.requestId === undefined) return 'has no requestId'
  return `has an unexpected type at ${path === undefined || path === '' ? 'its top' : path}`
}

/**
 * How often this message has been sent, by the carrier's count [CONFLICT]; a number or a string [EX]. null: not stated.
 */
function readCounter(folded: JsonObject): number | null {
  const nested = Array.isArray(folded.deviceResponse) ? folded.deviceResponse[0] : undefined
  const value = folded.callbackCount ?? (isObject(nested) ? nested.callbackCount : undefined)
  const count = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 && count < 2 ** 31 ? count : null
}

/**
 * Anything with a requestId that is no profile result: a changed identifier, NIDD, services yet unknown. Told by the
 * keys that hold an answer (`...Response`), since no message names its operation [EX]. One that is null holds none; and
 * what speaks of a profile is its result, whatever answer stands beside it.
 */
function otherKind(message: JsonObject, folded: Callback): string | null {
  const responses = folded.deviceResponse ?? []
  if (responses.some(response => response.deviceProfileResponse !== undefined)) return null
  const answers = answersIn(message)
  if (answers.some(([name]) => !ours.has(name))) return 'is an answer of another kind'
  if (folded.faultResponse !== undefined) return null
  const [, raw] = answers.find(([name]) => name === 'deviceresponse') ?? []
  const inner = (Array.isArray(raw) ? raw : [raw]).filter(isObject).flatMap(answersIn)
  if (inner.length > 0) return 'is a device response of another kind'
  return readStatus(folded).known ? null : 'has neither a profile response, a fault, nor a status that tells a result'
}

const ours = new Set(['deviceresponse', 'faultresponse'])

/** By name, in lower case. */
function answersIn(message: JsonObject): [name: string, answer: unknown][] {
  return Object.entries(message).flatMap(([key, answer]) =>
    answer !== null && /response$/i.test(key) ? [[key.toLowerCase(), answer]] : [],
  )
}
