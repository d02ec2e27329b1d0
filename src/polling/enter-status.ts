import type { Kysely } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import { matchTarget } from '../activations/match-target.ts'
import { type Evidence, resultOf } from '../activations/result.ts'
import { applyReport } from '../correlation/apply-report.ts'
import { candidates } from '../correlation/candidates.ts'
import { loadWorkingSet } from '../correlation/load-working-set.ts'
import { lockActivations } from '../correlation/lock-activations.ts'
import { resultsToSave } from '../correlation/save-results.ts'
import { saveWorkingSet } from '../correlation/save-working-set.ts'
import { type Arrival, profileKey, type TargetState, type WorkingSet } from '../correlation/working-set.ts'
import type { Database } from '../database/pool.ts'
import type { Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import type { RequestStatus } from '../thingspace/client.ts'
import { reportsOfAll } from '../thingspace/read-reports.ts'
import type { Report, ReportedResult } from '../thingspace/report.ts'
import type { DuePoll } from './due-polls.ts'

type AskedAbout = Pick<DuePoll, 'accountName' | 'requestId'>

export interface Entered {
  /** Targets about which something new was learned. */
  entered: number
  settled: boolean
  /** The carrier has a final word on every profile, and there is no target that it left out. */
  final: boolean
}

/** A transaction of this many holds no row for long: receiving waits for the same rows. */
const atOnce = 250

/**
 * Enters what the carrier says about each profile, as results beside those of the callbacks: a poll that disagrees
 * makes a conflict, and both are kept. Only `subRequests` count: the top status says Success too early [EX] RSV2.
 */
export async function enterStatus(db: Database, poll: AskedAbout, status: RequestStatus): Promise<Entered> {
  // What names no device the way one was asked for belongs to none. There are no details about a fault [DOC] RSV2.
  const reports = status.subRequests.flatMap(({ ids, status: word }) => {
    const result = finalWord(word)
    return result === null ? [] : reportsOfAll(ids, result)
  })
  let entered = 0
  let settled = false
  let waiting = false
  // Even without any report: what is settled by now must be found out.
  for (let from = 0; from === 0 || from < reports.length; from += atOnce) {
    const some = reports.slice(from, from + atOnce)
    const outcome = await inTransaction(db, trx => enterReports(trx, poll, some))
    entered += outcome.entered
    settled = outcome.settled
    waiting = outcome.waiting
  }
  const words = status.subRequests.map(({ status: word }) => finalWord(word))
  return { entered, settled, final: words.length > 0 && !words.includes(null) && !waiting }
}

async function enterReports(
  db: Kysely<Tables>,
  { accountName, requestId }: AskedAbout,
  reports: readonly Report[],
): Promise<{ entered: number; settled: boolean; waiting: boolean }> {
  const { now, activations } = await lockActivations(db, [{ accountName, requestId }])
  const [activation] = activations
  if (activation === undefined) return { entered: 0, settled: false, waiting: false }
  const sourceId = uuidv7()
  const arrivals = reports.map(
    (report, ordinal): Arrival => ({ sourceId, ordinal, source: 'poll', activationId: activation.id, at: now, report }),
  )
  const set = await loadWorkingSet(db, now, activations, arrivals)
  const news = newsOf(set, arrivals)
  const results = news.map(arrival => {
    const { targetNumber } = applyReport(set, arrival)
    return { arrival, accountName, targetNumber }
  })
  await saveWorkingSet(db, set, [resultsToSave(results)])
  const { pending, warning } = activation.counts
  return { entered: news.length, settled: activation.settledAt !== null, waiting: pending + warning > 0 }
}

/**
 * Asking again must not fill the database with what is known. What is said of the profiles of one target may differ: it is
 * entered at once or not at all, or the target would go by what was entered last, now the one and now the other.
 */
function newsOf(set: WorkingSet, arrivals: readonly Arrival[]): Arrival[] {
  const byTarget = Map.groupBy(arrivals, arrival => targetOf(set, arrival) ?? arrival)
  // Of one moment a success counts: said first, nothing is told that does not last.
  return [...byTarget.values()].filter(said => sayMore(set, said)).flatMap(said => said.toSorted(successesFirst))
}

function successesFirst({ report: one }: Arrival, { report: other }: Arrival): number {
  return Number(other.result === 'succeeded') - Number(one.result === 'succeeded')
}

function targetOf(set: WorkingSet, { activationId, report: { identifiers } }: Arrival): TargetState | null {
  return matchTarget(candidates(set.targets.get(activationId) ?? [], identifiers), identifiers)
}

function sayMore(set: WorkingSet, said: readonly Arrival[]): boolean {
  const [first] = said
  const target = first === undefined ? null : targetOf(set, first)
  if (target === null) return true
  const results = new Set(said.map(({ report }) => report.result))
  const ofTarget = results.has('succeeded') ? 'succeeded' : 'failed'
  return isNew(target.evidence, ofTarget) || said.some(arrival => isNewOfProfile(set, arrival, results.size > 1))
}

/** A profile that nobody spoke of yet is news only where its target does not speak for it. */
function isNewOfProfile(set: WorkingSet, { activationId, report }: Arrival, differs: boolean): boolean {
  const { accountName = '' } = set.activations.get(activationId) ?? {}
  const { iccid } = report.identifiers
  if (iccid === null) return false
  const profile = set.profiles.get(profileKey(accountName, iccid))?.profile ?? null
  if (profile === null) return differs
  return profile.activationId === activationId && isNew(profile.evidence, report.result)
}

function isNew(evidence: Evidence, result: ReportedResult): boolean {
  return evidence.poll?.result !== result && resultOf(evidence) !== result
}

/** `Pending`, and any word that is not known, settles nothing. Success / Failed in the docs, Failure in the SDK. */
function finalWord(word: string): 'succeeded' | 'failed' | null {
  const normal = word.trim().toLowerCase()
  if (normal === 'success') return 'succeeded'
  return normal === 'failed' || normal === 'failure' ? 'failed' : null
}
