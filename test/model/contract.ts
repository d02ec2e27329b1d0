import {
  type Facts,
  factsOf,
  faultCodeOf,
  type Identifiers,
  identifiersOf,
  type Message,
  mdnOf,
  type ProfileName,
} from '../fixtures/model-messages.ts'

/*
 * The contract said once more, as plainly as it can be: from all that was said, in no order, to what must be shown.
 * Shares no code with the service.
 */

export interface Report {
  ids: Identifiers
  says: 'warning' | 'succeeded' | 'failed'
  faultCode: string | null
  facts: (Facts & { mdn: string }) | null
  credential: boolean
}

/** A stored message: its place in the order of arrival is what the service shows of it. */
export interface Stored {
  callbackId: string
  receivedAt: string
  message: Message
  /** Held back by the database, so without effect until it is reprocessed. */
  held: boolean
}

/** What a message says of whom. Empty for one that can't be read, is of another kind, or is held back. */
export function reportsOf({ message, held }: Pick<Stored, 'message' | 'held'>, account: string): Report[] {
  const { says, about, level, credential } = message
  if (held || says === 'other' || says === 'unreadable') return []
  const isFault = says === 'fault' || says === 'on-hold'
  const result = ({ success: 'succeeded', warning: 'warning', fault: 'failed', 'on-hold': 'warning' } as const)[says]
  const faultCode = isFault ? faultCodeOf(message) : null
  if (level === 'device') {
    const { eid } = identifiersOf(about[0] as ProfileName)
    return [{ ids: { iccid: null, eid, imei: null }, says: result, faultCode, facts: null, credential: false }]
  }
  return about.map(name => {
    const { iccid, eid, imei } = identifiersOf(name)
    const alone = about.length === 1
    return {
      // A fault about several profiles names them by ICCID only.
      ids: isFault && !alone ? { iccid, eid: null, imei: null } : { iccid, eid, imei },
      says: result,
      faultCode,
      facts: isFault ? null : { ...factsOf(message, account), mdn: mdnOf(name) },
      credential: !isFault && credential,
    }
  })
}

export type Result = 'pending' | 'warning' | 'succeeded' | 'failed' | 'conflict'

export function resultOf(said: readonly Report['says'][]): Result {
  const succeeded = said.includes('succeeded')
  const failed = said.includes('failed')
  if (succeeded && failed) return 'conflict'
  if (succeeded) return 'succeeded'
  if (failed) return 'failed'
  return said.includes('warning') ? 'warning' : 'pending'
}

/** A success has no fault to show, and a warning's is shown as long as no final fault was said. */
function faultCodesOf(result: Result, reports: readonly Report[]): (string | null)[] {
  if (result === 'succeeded') return [null]
  const codesOf = (says: Report['says']) =>
    reports.flatMap(report => (report.says === says && report.faultCode !== null ? [report.faultCode] : []))
  const known = [codesOf('failed'), codesOf('warning')].find(codes => codes.length > 0)
  return known ?? [null]
}

export interface Target {
  asked: Identifiers
  requested: boolean
  result: Result
  /** Any of these may be the one that is shown. */
  faultCodes: (string | null)[]
  /** Distinct callbacks that spoke of it. */
  callbacks: number
}

/** The targets of a recorded activation: those asked for, in their order, then those that nobody asked for. */
export function targetsOf(asked: readonly Identifiers[], stored: readonly Stored[], account: string): Target[] {
  const said = stored.flatMap(entry => reportsOf(entry, account).map(report => ({ entry, report })))
  const meant = Map.groupBy(said, ({ report }) => JSON.stringify(whomItMeans(asked, report.ids)))
  const strangers = [...meant.keys()].filter(who => !asked.some(target => JSON.stringify(target) === who))
  return [...asked.map(target => JSON.stringify(target)), ...strangers].map(who => {
    const words = meant.get(who) ?? []
    const result = resultOf(words.map(({ report }) => report.says))
    return {
      asked: JSON.parse(who) as Identifiers,
      requested: !strangers.includes(who),
      result,
      faultCodes: faultCodesOf(
        result,
        words.map(({ report }) => report),
      ),
      callbacks: new Set(words.map(({ entry }) => entry.callbackId)).size,
    }
  })
}

/**
 * The most specific identifier that both name decides; of several, the one asked for by just that. A device of which
 * several profiles were asked for is none of them, and nobody asked for one that agrees with none.
 */
function whomItMeans(asked: readonly Identifiers[], named: Identifiers): Identifiers {
  for (const kind of ['iccid', 'eid', 'imei'] as const) {
    const found = asked.filter(target => decisive(target, named) === kind && target[kind] === named[kind])
    const [just = found[0]] = found.filter(target => mostSpecific(target) === kind)
    if (just !== undefined && (found.length === 1 || mostSpecific(just) === kind)) return just
    if (found.length > 0) break
  }
  const kind = mostSpecific(named)
  return { iccid: null, eid: null, imei: null, [kind]: named[kind] }
}

function mostSpecific(named: Identifiers): keyof Identifiers {
  return (['iccid', 'eid', 'imei'] as const).find(name => named[name] !== null) ?? 'imei'
}

function decisive(target: Identifiers, named: Identifiers): keyof Identifiers | undefined {
  return (['iccid', 'eid', 'imei'] as const).find(kind => target[kind] !== null && named[kind] !== null)
}

export type Counts = Record<Result | 'targets', number>

export function countsOf(targets: readonly { result: Result }[]): Counts {
  const of = (result: Result) => targets.filter(target => target.result === result).length
  return {
    targets: targets.length,
    pending: of('pending'),
    warning: of('warning'),
    succeeded: of('succeeded'),
    failed: of('failed'),
    conflict: of('conflict'),
  }
}

export function statusOf({ targets, succeeded, failed, conflict }: Counts): string {
  if (conflict > 0) return 'conflict'
  if (succeeded + failed === 0) return 'pending'
  if (succeeded + failed < targets) return 'partial'
  return failed === 0 ? 'succeeded' : succeeded === 0 ? 'failed' : 'mixed'
}

/** One thing that was said of one profile. */
export interface Word {
  requestId: string
  submittedAt: string
  stored: Stored
  report: Report
}

export interface Profile {
  eid: string | null
  imei: string | null
  mdn: string | null
  state: string | null
  profileStatus: string | null
  profileRole: string | null
  servicePlan: string | null
  hasCredential: boolean
  credentialFrom: string | null
  requestId: string
  result: Result
  faultCodes: (string | null)[]
}

/** Newest activation by submission, then final words over warnings, then arrival. */
export function inOrder(words: readonly Word[]): Word[] {
  const isFinal = ({ report }: Word) => Number(report.says !== 'warning')
  const keys = [
    (word: Word) => Date.parse(word.submittedAt),
    isFinal,
    (word: Word) => Date.parse(word.stored.receivedAt),
  ]
  return [...words].sort((one, other) => {
    for (const key of keys) if (key(one) !== key(other)) return key(one) - key(other)
    return one.stored.callbackId < other.stored.callbackId ? -1 : 1
  })
}

/** What a profile is, from all that was said of it: for each fact the last word that tells it. */
export function profileOf(words: readonly Word[]): Profile | null {
  const ordered = inOrder(words)
  const newest = ordered.at(-1)
  if (newest === undefined) return null
  const last = <T>(tell: (word: Word) => T | null | undefined): T | null =>
    ordered.map(tell).findLast(value => value !== null && value !== undefined) ?? null
  const { requestId } = newest
  const current = ordered.filter(word => word.requestId === requestId)
  const result = resultOf(current.map(({ report }) => report.says))
  const credentialFrom = last(word => (word.report.credential ? word.stored.callbackId : null))
  return {
    eid: last(word => word.report.ids.eid),
    imei: last(word => word.report.ids.imei),
    mdn: last(word => word.report.facts?.mdn),
    state: last(word => word.report.facts?.state),
    profileStatus: last(word => word.report.facts?.profileStatus),
    profileRole: last(word => word.report.facts?.profileRole),
    servicePlan: last(word => word.report.facts?.servicePlan),
    hasCredential: credentialFrom !== null,
    credentialFrom,
    requestId,
    result,
    faultCodes: faultCodesOf(
      result,
      current.map(({ report }) => report),
    ),
  }
}

/** Two activations sent in the same millisecond: nobody promises which one is the newer. */
export function isTied(words: readonly Word[]): boolean {
  const times = new Map(words.map(({ requestId, submittedAt }) => [requestId, submittedAt]))
  return new Set(times.values()).size < times.size
}

/** True where arrival alone decides what is shown, or the moment at which an activation was first heard of. */
export function dependsOnArrival(words: readonly Word[], recorded: (requestId: string) => boolean): boolean {
  const activations = new Set(words.map(({ requestId }) => requestId))
  if (isTied(words)) return true
  if (activations.size > 1 && [...activations].some(requestId => !recorded(requestId))) return true
  const tied = Map.groupBy(words, word => JSON.stringify([word.requestId, word.report.says !== 'warning']))
  return [...tied.values()].some(
    group =>
      new Set(group.flatMap(({ report }) => (report.facts === null ? [] : [JSON.stringify(report.facts)]))).size > 1,
  )
}
