import type { ActivationStatus, Counts } from '../activations/activation-status.ts'
import type { AskedFor } from '../activations/match-target.ts'
import type { Evidence, Result, Source } from '../activations/result.ts'
import type { Profile, ProfileMessage } from '../profiles/profile.ts'
import type { Identifiers, Report } from '../thingspace/report.ts'

/**
 * The rows that one transaction works on: loaded under lock, changed in memory by pure rules, saved together.
 * Receiving, recording an activation, polling and reprocessing all work this way, so they can't drift apart.
 */
export interface WorkingSet {
  /** The database's clock, a single time for the whole transaction. */
  now: Date
  activations: Map<string, ActivationState>
  targets: Map<string, TargetState[]>
  profiles: Map<string, ProfileState>
  changes: Change[]
}

export interface ActivationState {
  id: string
  accountName: string
  requestId: string
  recorded: boolean
  operation: string
  submittedAt: Date
  expectedBy: Date | null
  settledAt: Date | null
  status: ActivationStatus
  overdue: boolean
  counts: Counts
  version: number
  touched: boolean
}

export interface TargetState extends AskedFor {
  activationId: string
  learned: Identifiers
  evidence: Evidence
  callbacks: number
  /** The callback whose reports are being counted: several of them may mean this target, but they are one callback. */
  countedFor?: string
  overdue: boolean
  firstResultAt: Date | null
  settledAt: Date | null
  /** Not in the database yet. */
  isNew: boolean
  touched: boolean
}

export interface ProfileState {
  iccid: string
  accountName: string
  /** null: not known yet. */
  profile: Profile | null
  changedAt: Date
  confirmedAt: Date
  version: number
  /**
   * The version in the database; 0 for a profile that is not there yet. A save that finds another version starts over.
   */
  loadedVersion: number
  /** Every message that names it, loaded only when one of the reports must be inserted before others. */
  messages: ProfileMessage[] | null
  touched: boolean
}

/** What one message or poll brings: one report about one target, and where it came from. */
export interface Arrival {
  sourceId: string
  ordinal: number
  source: Source
  activationId: string
  at: Date
  report: Report
}

/** One step of a profile, a result or an activation, as the feed shows it. */
export interface Change {
  at: Date
  kind: 'profile' | 'result' | 'activation'
  accountName: string
  requestId: string | null
  iccid: string | null
  eid: string | null
  was: ChangeValues | null
  becomes: ChangeValues
  callbackId: string | null
  source: Source | 'clock' | 'record'
  /** For a profile: its whole state after the change. */
  profile: ProfileSnapshot | null
}

export type ChangeValues = { [name: string]: string | boolean | null }

/** Everything that is shown of a profile, as it was after a change. */
export interface ProfileSnapshot extends Omit<Profile, 'eid' | 'evidence' | 'lastWord' | 'credentialDigest'> {
  result: Result
  faultCode: string | null
  faultMessage: string | null
  source: Source
  changedAt: Date
  confirmedAt: Date
  version: number
}

export function profileKey(accountName: string, iccid: string): string {
  return `${accountName} ${iccid}`
}
