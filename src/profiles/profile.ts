import { addStatement, type Evidence, noEvidence, type Statement } from '../activations/result.ts'
import type { AddressUpdate, ProfileFacts } from '../thingspace/report.ts'

/** What one message says about one profile, with all that is needed to rank it among the others. */
export interface ProfileMessage extends Statement {
  sourceId: string
  activationId: string
  /** When its activation was sent; if that is not recorded yet, when its first callback came. */
  submittedAt: Date
  eid: string | null
  imei: string | null
  facts: ProfileFacts
}

/** What is known about one profile, folded from all messages that name it. */
export interface Profile {
  eid: string | null
  imei: string | null
  mdn: string | null
  msisdn: string | null
  state: string | null
  profileStatus: string | null
  profileRole: string | null
  servicePlan: string | null
  addressUpdate: AddressUpdate | null
  credentialCallbackId: string | null
  /** Differs where the login does. null: none, or from before logins were told apart. */
  credentialDigest: string | null
  /** The newest activation that spoke of it, and what that activation's messages say. */
  activationId: string
  evidence: Evidence
  lastWord: Rank
}

/**
 * A message's place in the order: by submission of its activation, within that final words after warnings, then by
 * arrival.
 */
export interface Rank {
  submittedAt: Date
  activationId: string
  final: boolean
  at: Date
  sourceId: string
}

export function rankOf(message: ProfileMessage): Rank {
  const { submittedAt, activationId, at, sourceId } = message
  return { submittedAt, activationId, final: message.result !== 'warning', at, sourceId }
}

/** Negative when `one` comes before `other`. A total order: no two messages share a source id. */
export function compareRanks(one: Rank, other: Rank): number {
  return (
    one.submittedAt.getTime() - other.submittedAt.getTime() ||
    compareIds(one.activationId, other.activationId) ||
    Number(one.final) - Number(other.final) ||
    one.at.getTime() - other.at.getTime() ||
    (one.sourceId < other.sourceId ? -1 : one.sourceId > other.sourceId ? 1 : 0)
  )
}

/** Ids are bigints written as text. */
function compareIds(one: string, other: string): number {
  return one.length - other.length || (one < other ? -1 : one > other ? 1 : 0)
}

/** True when the message must be inserted before others that are already known: then the profile is folded again. */
export function comesBefore(message: ProfileMessage, profile: Profile | null): boolean {
  return profile !== null && compareRanks(rankOf(message), profile.lastWord) < 0
}

/** The profile after a message that ranks last. What the message does not say stays as it was. */
export function withMessage(profile: Profile | null, message: ProfileMessage): Profile {
  const { facts } = message
  const sameActivation = profile?.activationId === message.activationId
  return {
    eid: message.eid ?? profile?.eid ?? null,
    imei: message.imei ?? profile?.imei ?? null,
    mdn: facts.mdn ?? profile?.mdn ?? null,
    msisdn: facts.msisdn ?? profile?.msisdn ?? null,
    state: facts.state ?? profile?.state ?? null,
    profileStatus: facts.profileStatus ?? profile?.profileStatus ?? null,
    profileRole: facts.profileRole ?? profile?.profileRole ?? null,
    servicePlan: facts.servicePlan ?? profile?.servicePlan ?? null,
    addressUpdate: facts.addressUpdate ?? profile?.addressUpdate ?? null,
    credentialCallbackId: facts.hasCredential ? message.sourceId : (profile?.credentialCallbackId ?? null),
    credentialDigest: (facts.hasCredential ? facts.credentialDigest : profile?.credentialDigest) ?? null,
    activationId: message.activationId,
    evidence: addStatement(sameActivation ? profile.evidence : noEvidence, message),
    lastWord: rankOf(message),
  }
}

/** What a profile is, from every message that names it, in whatever order they came; null when there is none. */
export function profileFrom(messages: readonly ProfileMessage[]): Profile | null {
  const inOrder = [...messages].sort((one, other) => compareRanks(rankOf(one), rankOf(other)))
  return inOrder.reduce<Profile | null>(withMessage, null)
}
