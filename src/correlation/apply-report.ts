import assert from 'node:assert/strict'
import { activationStatus, countMove, isActivationSettled } from '../activations/activation-status.ts'
import { matchTarget, unrequestedIdentifiers } from '../activations/match-target.ts'
import {
  addStatement,
  faultOf,
  isSettled,
  noEvidence,
  resultOf,
  type Statement,
  sourceOf,
} from '../activations/result.ts'
import { comesBefore, type Profile, type ProfileMessage, profileFrom, withMessage } from '../profiles/profile.ts'
import type { Identifiers } from '../thingspace/report.ts'
import { candidates } from './candidates.ts'
import {
  type ActivationState,
  type Arrival,
  type ChangeValues,
  type ProfileSnapshot,
  type ProfileState,
  profileKey,
  type TargetState,
  type WorkingSet,
} from './working-set.ts'

export interface Effect {
  /** The target it was counted on; null while its activation is not recorded. */
  targetNumber: number | null
  changed: boolean
}

/** What one report does to its target, its activation and its profile. Changes the working set; no input or output. */
export function applyReport(set: WorkingSet, arrival: Arrival): Effect {
  const activation = activationOf(set, arrival)
  const target = activation.recorded ? applyToTarget(set, activation, arrival) : null
  const profileChanged = applyToProfile(set, activation, arrival)
  return { targetNumber: target?.number ?? null, changed: profileChanged || (target?.changed ?? false) }
}

/** Counts a report on its target alone: for a report that came before its activation was recorded. */
export function applyToTarget(
  set: WorkingSet,
  activation: ActivationState,
  arrival: Arrival,
): { number: number; changed: boolean } {
  const { identifiers } = arrival.report
  const targets = targetsOf(set, activation.id)
  const found = matchTarget(candidates(targets, identifiers), identifiers)
  const target = found ?? addUnrequested(activation, targets, identifiers)
  const before = found === null ? null : resultOf(target.evidence)
  const firstBefore = target.firstResultAt

  target.evidence = addStatement(target.evidence, statementOf(arrival))
  target.learned = learn(target.learned, identifiers)
  if (arrival.source === 'callback' && target.countedFor !== arrival.sourceId) target.callbacks += 1
  target.countedFor = arrival.sourceId
  target.firstResultAt = earlier(target.firstResultAt, arrival.at)
  target.touched = true
  // Shown as the time to the callback, so this is a new version of what is shown.
  if (target.firstResultAt !== firstBefore) activation.touched = true
  const result = resultOf(target.evidence)
  if (result === before) return { number: target.number, changed: false }

  target.settledAt = isSettled(result) ? set.now : null
  target.overdue = target.overdue && !isSettled(result)
  set.changes.push({
    at: set.now,
    kind: 'result',
    accountName: activation.accountName,
    requestId: activation.requestId,
    iccid: identifiers.iccid ?? target.iccid,
    eid: identifiers.eid ?? target.eid,
    was: before === null ? null : { result: before },
    becomes: { result },
    callbackId: arrival.source === 'callback' ? arrival.sourceId : null,
    source: arrival.source,
    profile: null,
  })
  activation.counts = countMove(activation.counts, before, result)
  restateActivation(set, activation, arrival)
  return { number: target.number, changed: true }
}

/** The profile that a report names, with the report applied; false when it says nothing new. */
export function applyToProfile(set: WorkingSet, activation: ActivationState, arrival: Arrival): boolean {
  const { iccid } = arrival.report.identifiers
  if (iccid === null) return false
  const state = set.profiles.get(profileKey(activation.accountName, iccid))
  assert(state !== undefined, 'a profile is loaded before its report is applied')
  const message = profileMessage(activation, arrival)
  state.messages?.push(message)
  if (comesBefore(message, state.profile)) {
    assert(state.messages !== null, 'the messages of a profile are loaded before a late one is applied')
    return changeProfile(set, state, profileFrom(state.messages), activation, arrival)
  }
  return changeProfile(set, state, withMessage(state.profile, message), activation, arrival)
}

export function profileMessage(activation: ActivationState, arrival: Arrival): ProfileMessage {
  const { report, sourceId } = arrival
  return {
    ...statementOf(arrival),
    sourceId,
    activationId: activation.id,
    submittedAt: activation.submittedAt,
    eid: report.identifiers.eid,
    imei: report.identifiers.imei,
    facts: report.facts,
  }
}

/** Sets the profile's new content, and notes a change with its cause when anything visible differs. */
export function changeProfile(
  set: WorkingSet,
  state: ProfileState,
  profile: Profile | null,
  activation: Pick<ActivationState, 'accountName' | 'requestId'>,
  cause: Pick<Arrival, 'source' | 'sourceId'>,
): boolean {
  if (profile === null) return false
  const before = state.profile
  state.profile = profile
  state.confirmedAt = set.now
  state.touched = true
  if (before !== null && looksLike(before, profile)) return false

  state.version += 1
  // Another batch may have read the clock later than we did, but got the profile first: its time never goes back.
  state.changedAt = new Date(Math.max(set.now.getTime(), state.changedAt.getTime()))
  const [was, becomes] = difference(before === null ? null : shown(before), shown(profile))
  set.changes.push({
    at: state.changedAt,
    kind: 'profile',
    accountName: activation.accountName,
    requestId: activation.requestId,
    iccid: state.iccid,
    eid: profile.eid,
    was,
    becomes,
    callbackId: cause.source === 'callback' ? cause.sourceId : null,
    source: cause.source,
    profile: snapshotOf(profile, state),
  })
  return true
}

/** Brings status, overdue and settledAt in line with the counts. */
export function restateActivation(
  set: WorkingSet,
  activation: ActivationState,
  cause: { source: Arrival['source'] | 'clock' | 'record'; sourceId: string | null },
): void {
  const settled = isActivationSettled(activation.counts)
  const before = { status: activation.status, overdue: activation.overdue }
  activation.status = activationStatus(activation.counts)
  activation.overdue = activation.overdue && !settled
  activation.settledAt = settled ? (activation.settledAt ?? set.now) : null
  activation.touched = true
  const [was, becomes] = difference(before, { status: activation.status, overdue: activation.overdue })
  if (Object.keys(becomes).length === 0) return
  set.changes.push({
    at: set.now,
    kind: 'activation',
    accountName: activation.accountName,
    requestId: activation.requestId,
    iccid: null,
    eid: null,
    was,
    becomes,
    callbackId: cause.source === 'callback' ? cause.sourceId : null,
    source: cause.source,
    profile: null,
  })
}

function activationOf(set: WorkingSet, { activationId }: Arrival): ActivationState {
  const activation = set.activations.get(activationId)
  assert(activation !== undefined, 'an activation is locked before its report is applied')
  return activation
}

function targetsOf(set: WorkingSet, activationId: string): TargetState[] {
  const known = set.targets.get(activationId)
  if (known !== undefined) return known
  const none: TargetState[] = []
  set.targets.set(activationId, none)
  return none
}

/** A device that was not asked for is kept, and marked as such. Numbers are dense, so the count gives the next one. */
function addUnrequested(activation: ActivationState, targets: TargetState[], named: Identifiers): TargetState {
  const target: TargetState = {
    ...unrequestedIdentifiers(named),
    activationId: activation.id,
    number: activation.counts.targets + 1,
    requested: false,
    learned: { eid: null, iccid: null, imei: null },
    evidence: noEvidence,
    callbacks: 0,
    overdue: false,
    firstResultAt: null,
    settledAt: null,
    isNew: true,
    touched: true,
  }
  targets.push(target)
  return target
}

/**
 * What callbacks add to what was asked for. Where they disagree, the least value, so that their order does not show.
 */
function learn(known: Identifiers, named: Identifiers): Identifiers {
  return {
    eid: least(known.eid, named.eid),
    iccid: least(known.iccid, named.iccid),
    imei: least(known.imei, named.imei),
  }
}

function least(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other
  return one < other ? one : other
}

function earlier(known: Date | null, at: Date): Date {
  return known === null || at < known ? at : known
}

function statementOf({ source, report, at }: Arrival): Statement {
  return { source, result: report.result, faultCode: report.faultCode, faultMessage: report.faultMessage, at }
}

/**
 * Everything that the API shows of a profile: a difference here makes a new version, and so does another login. A list,
 * because the keys of a profile from the database are in another order than those of one just folded.
 */
function visible(profile: Profile): unknown[] {
  const { evidence, addressUpdate } = profile
  const { code, message } = faultOf(evidence)
  return [
    profile.eid,
    profile.imei,
    profile.mdn,
    profile.msisdn,
    profile.state,
    profile.profileStatus,
    profile.profileRole,
    profile.servicePlan,
    addressUpdate && [addressUpdate.status, addressUpdate.code, addressUpdate.description],
    profile.credentialCallbackId !== null,
    profile.activationId,
    resultOf(evidence),
    sourceOf(evidence),
    code,
    message,
  ]
}

/** A login that was known before logins were told apart is taken for the same as any other. */
function looksLike(before: Profile, profile: Profile): boolean {
  const logins = new Set([before.credentialDigest, profile.credentialDigest].filter(digest => digest !== null))
  return logins.size < 2 && JSON.stringify(visible(before)) === JSON.stringify(visible(profile))
}

/** For `asOf`. The EID is in the change itself, and of the login it tells whose it was. */
function snapshotOf(
  { eid: _, evidence, lastWord: __, credentialDigest: ___, ...facts }: Profile,
  { changedAt, confirmedAt, version }: ProfileState,
): ProfileSnapshot {
  const { code, message } = faultOf(evidence)
  return {
    ...facts,
    result: resultOf(evidence),
    faultCode: code,
    faultMessage: message,
    source: sourceOf(evidence) ?? 'callback',
    changedAt,
    confirmedAt,
    version,
  }
}

/** What the feed says about a profile. */
function shown({ state, profileStatus, profileRole, servicePlan }: Profile): ChangeValues {
  return { state, profileStatus, profileRole, servicePlan }
}

function difference(before: ChangeValues | null, after: ChangeValues): [ChangeValues | null, ChangeValues] {
  if (before === null) return [null, after]
  const names = Object.keys(after).filter(name => before[name] !== after[name])
  const only = (values: ChangeValues) => Object.fromEntries(names.map(name => [name, values[name] ?? null]))
  return [only(before), only(after)]
}
