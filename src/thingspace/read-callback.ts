import {
  AmbiguousField,
  type Callback,
  callbackShape,
  type DeviceId,
  type DeviceResponse,
  foldCallback,
  isObject,
  type ProfileResponse,
} from './callback.ts'
import { isFinalFault } from './fault.ts'
import { type Identifier, imeiBase, isIdentifierKind, normalIdentifier, normalKind } from './identifiers.ts'
import type { JsonMessage, JsonObject } from './json-message.ts'

/** What one message says of one profile or device. `warning` is not final: a later message says how it ended. */
export type ReportedResult = 'warning' | 'succeeded' | 'failed'

export interface Identifiers {
  eid: string | null
  iccid: string | null
  imei: string | null
}

export interface ProfileFacts {
  mdn: string | null
  msisdn: string | null
  state: string | null
  profileStatus: string | null
  profileRole: string | null
  servicePlan: string | null
  addressUpdate: AddressUpdate | null
  hasCredential: boolean
  /** Of the login, where it could be told: see `tellLoginsApart`. */
  credentialDigest?: string
}

export interface AddressUpdate {
  status: string | null
  code: string | null
  description: string | null
}

export interface Report {
  identifiers: Identifiers
  result: ReportedResult
  faultCode: string | null
  faultMessage: string | null
  facts: ProfileFacts
}

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

interface Status {
  result: ReportedResult
  known: boolean
  reason: string | null
}

/**
 * `status` in the cases and words that were seen ([EX], fact sheet 2.4). An unknown word settles nothing. The seed's
 * table has a status for each device response, its example one for the message [CONFLICT]: the message's own goes first.
 */
function readStatus(folded: Callback, responses: readonly DeviceResponse[] = folded.deviceResponse ?? []): Status {
  const status = told(folded.status) ?? responses.map(response => told(response.status)).find(word => word !== null)
  const word = status?.trim().toLowerCase() ?? ''
  const result = results.get(word)
  const { faultCode, faultMessage } = readFault(folded)
  // One that tells nothing leaves the word to the status, where that tells something.
  const isFault = faultCode !== null || faultMessage !== null || result === undefined
  if (folded.faultResponse !== undefined && isFault) {
    const final = isFinalFault(faultCode) && word !== 'warning'
    return { result: final ? 'failed' : 'warning', known: true, reason: null }
  }
  if (result !== undefined) return { result, known: true, reason: null }
  const reason = word === '' ? 'has no status' : 'has a status that is not known'
  return { result: 'warning', known: false, reason }
}

const results = new Map<string, ReportedResult>([
  ['success', 'succeeded'],
  ['failed', 'failed'],
  ['failure', 'failed'],
  ['warning', 'warning'],
  ['pending', 'warning'],
])

function readFault({ faultResponse }: Callback): Pick<Report, 'faultCode' | 'faultMessage'> {
  return { faultCode: told(faultResponse?.faultcode), faultMessage: told(faultResponse?.faultstring) }
}

function readReports(folded: Callback): Report[] {
  const fault = readFault(folded)
  const top = folded.deviceIds ?? []
  const profiles = (folded.deviceResponse ?? []).flatMap(response => {
    const { result } = readStatus(folded, [response])
    return (response.deviceProfileResponse ?? []).map(profile => ({ profile, result }))
  })
  const { result } = readStatus(folded)
  const ofProfiles = profiles.flatMap(one => namedBy(one, top, profiles.length === 1))
  const said = reportsAbout(ofProfiles, fault)
  if (said.length > 0 || profiles.some(one => one.result !== result)) return said
  // Where nothing tells whose profiles these are, the devices have their one result all the same.
  const ofDevices = devicesIn(top).map(ids => ({ profile: {}, ids: [ids], result }))
  return reportsAbout(ofDevices, fault)
}

interface Said {
  profile: ProfileResponse
  result: ReportedResult
}

/** What stands in the first list goes before what stands in the second. */
type About = Said & { ids: DeviceId[][] }

function reportsAbout(about: readonly About[], fault: Pick<Report, 'faultCode' | 'faultMessage'>): Report[] {
  return about
    .map(one => ({ ...readIdentifiers(one.ids, one.profile), result: one.result, ...fault }))
    .filter(({ identifiers }) => identifiers.eid ?? identifiers.iccid ?? identifiers.imei)
}

/**
 * A lone profile inherits what only the top of the message names; of several, each names its own devices. Where one
 * stands under several ICCIDs each has its result, but nobody can say whose state that is.
 */
function namedBy({ profile, result }: Said, top: DeviceId[], isLone: boolean): About[] {
  const own = profile.deviceIdentifierCollection ?? []
  const named = eachOf('iccid', own)
  const iccids = named.length === 0 && isLone ? eachOf('iccid', top) : named
  if (iccids.length > 1) return iccids.map(entry => ({ profile: {}, ids: [[entry]], result }))
  return [{ profile, ids: isLone ? [own, top] : [own], result }]
}

/** Every device that is named stands for itself, by the most specific kind that names any; one needs no telling apart. */
function devicesIn(top: DeviceId[]): DeviceId[][] {
  const named = (['iccid', 'eid', 'imei'] as const).map(kind => eachOf(kind, top)).find(found => found.length > 0) ?? []
  return named.length > 1 ? named.map(entry => [entry]) : [top]
}

/** Each device once, under the longest form of its IMEI. */
function eachOf(wanted: 'iccid' | 'eid' | 'imei', ids: DeviceId[]): DeviceId[] {
  const found = new Map<string, { id: string; entry: DeviceId }>()
  for (const entry of ids) {
    if (normalKind(entry.kind ?? '') !== wanted) continue
    const id = normalIdentifier(wanted, entry.id ?? '')
    const device = wanted === 'imei' ? imeiBase(id) : id
    const known = found.get(device)
    if (device !== '' && (known === undefined || id > known.id)) found.set(device, { id, entry })
  }
  return [...found.values()].map(({ entry }) => entry)
}

/** Of several of one kind, as the two IMEIs of a device, the least: the carrier lists them in any order. */
function leastOf(ids: DeviceId[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const { kind, id } of ids) {
    const name = normalKind(kind ?? '')
    if (!isIdentifierKind(name)) continue
    const normal = normalIdentifier(name, id ?? '')
    const known = found.get(name)
    if (normal !== '' && (known === undefined || normal < known)) found.set(name, normal)
  }
  return found
}

function readIdentifiers(
  lists: DeviceId[][],
  profile: ProfileResponse,
): { identifiers: Identifiers; facts: ProfileFacts } {
  const [first = new Map<string, string>(), second] = lists.map(leastOf)
  const of = (kind: string) => first.get(kind) ?? second?.get(kind) ?? null
  return {
    identifiers: { eid: of('eid'), iccid: of('iccid'), imei: of('imei') },
    facts: {
      mdn: of('mdn'),
      msisdn: of('msisdn'),
      state: normalWord(profile.state),
      profileStatus: normalWord(profile.profileStatus),
      profileRole: normalWord(profile.profileRole),
      servicePlan: told(profile.servicePlan),
      addressUpdate: readAddressUpdate(profile),
      hasCredential: holdsCredential(profile.deviceCredential),
    },
  }
}

/** `Not Downloaded` and `NOT_DOWNLOADED` are one value; a value nobody has documented is kept like any other. */
export function normalWord(word: string | null | undefined): string | null {
  const normal = word?.trim().replace(/\s+/g, '_').toUpperCase()
  return normal === undefined || normal === '' ? null : normal
}

/** The status of an address update, independent of `status`; only the success values are documented (fact sheet 2.4). */
function readAddressUpdate(profile: ProfileResponse): AddressUpdate | null {
  const status = told(profile.euiccSubAddressUpdateStatus)
  const code = told(profile.euiccSubAddressUpdateStatusCode)
  const description = told(profile.euiccSubAddressUpdateStatusDesc)
  return status === null && code === null && description === null ? null : { status, code, description }
}

function holdsCredential(credential: unknown): boolean {
  if (!isObject(credential)) return false
  return Object.values(credential).some(value => (typeof value === 'string' ? told(value) : value) !== null)
}

/** A blank says nothing, as where no credentials were registered [EX] CBERR: what was told before stays. */
function told(value: string | number | null | undefined): string | null {
  const text = String(value ?? '')
  return text.trim() === '' ? null : text
}
