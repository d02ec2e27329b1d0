import assert from 'node:assert/strict'
import { type Kysely, sql } from 'kysely'
import type { ExpectWithin } from '../config.ts'
import { applyToTarget, restateActivation } from '../correlation/apply-report.ts'
import { foldProfiles } from '../correlation/fold-profiles.ts'
import { arrivalOf } from '../correlation/load-messages.ts'
import { lockActivations } from '../correlation/lock-activations.ts'
import { saveWorkingSet } from '../correlation/save-working-set.ts'
import type { ActivationState, WorkingSet } from '../correlation/working-set.ts'
import { rowsOf } from '../database/rows.ts'
import type { ResultsTable, Tables } from '../database/tables.ts'
import { type ActivationRequest, requestDigest, targetsAskedFor } from './activation-request.ts'
import { expectedBy } from './expected-by.ts'
import { noEvidence } from './result.ts'

export type Recorded = 'recorded' | 'known' | 'different'

/**
 * Records what was asked of ThingSpace and claims every callback that came before, all in the caller's transaction.
 * Recording the same request again is `known`; a different one under the same requestId is `different`; neither writes
 * anything. A request that does not say when it was submitted counts as submitted at `toldAt` (default: now), which is
 * not part of its content.
 */
export async function recordActivation(
  db: Kysely<Tables>,
  requestId: string,
  request: ActivationRequest & { submittedAt?: string | undefined },
  expectWithin: ExpectWithin,
  toldAt: Date | null = null,
): Promise<Recorded> {
  const { now, activations } = await lockActivations(db, [{ accountName: request.accountName, requestId }])
  const [activation] = activations
  assert(activation !== undefined, 'the shared row was made and locked')
  if (activation.recorded) return compare(db, activation, request)

  await describe(db, activation, request, { now, toldAt: toldAt ?? now }, expectWithin)
  const set: WorkingSet = {
    now,
    activations: new Map([[activation.id, activation]]),
    targets: new Map(),
    profiles: new Map(),
    changes: [],
  }
  addTargets(set, activation, request)
  await claimWaiting(db, set, activation)
  await saveWorkingSet(db, set)
  return 'recorded'
}

async function compare(
  db: Kysely<Tables>,
  activation: ActivationState,
  request: ActivationRequest & { submittedAt?: string | undefined },
): Promise<Recorded> {
  const { request_digest } = await db
    .selectFrom('activations')
    .select('request_digest')
    .where('id', '=', activation.id)
    .executeTakeFirstOrThrow()
  const sameTime =
    request.submittedAt === undefined || Date.parse(request.submittedAt) === activation.submittedAt.getTime()
  return sameTime && request_digest?.equals(requestDigest(request)) ? 'known' : 'different'
}

async function describe(
  db: Kysely<Tables>,
  activation: ActivationState,
  request: ActivationRequest & { submittedAt?: string | undefined },
  { now, toldAt }: { now: Date; toldAt: Date },
  expectWithin: ExpectWithin,
): Promise<void> {
  const operation = request.operation ?? 'activate'
  const submittedAt = request.submittedAt === undefined ? toldAt : new Date(request.submittedAt)
  const expected = expectedBy(expectWithin, operation, submittedAt)
  await db
    .updateTable('activations')
    .set({
      recorded_at: now,
      request_digest: requestDigest(request),
      operation,
      service_plan: request.servicePlan ?? null,
      mdn_zip_code: request.mdnZipCode ?? null,
      submitted_at: submittedAt,
      expected_by: expected,
    })
    .where('id', '=', activation.id)
    .execute()
  Object.assign(activation, { recorded: true, operation, submittedAt, expectedBy: expected, touched: true })
}

function addTargets(set: WorkingSet, activation: ActivationState, request: ActivationRequest): void {
  const targets = targetsAskedFor(request).map((asked, at) => ({
    ...asked,
    activationId: activation.id,
    number: at + 1,
    requested: true,
    learned: { eid: null, iccid: null, imei: null },
    evidence: noEvidence,
    callbacks: 0,
    overdue: false,
    firstResultAt: null,
    settledAt: null,
    isNew: true,
    touched: true,
  }))
  set.targets.set(activation.id, targets)
  activation.counts = { ...activation.counts, targets: targets.length, pending: targets.length }
  set.changes.push({
    at: set.now,
    kind: 'activation',
    accountName: activation.accountName,
    requestId: activation.requestId,
    iccid: null,
    eid: null,
    was: null,
    becomes: { status: activation.status, overdue: activation.overdue },
    callbackId: null,
    source: 'record',
    profile: null,
  })
}

/** What callbacks said before the activation was known is counted on its targets, as if they had arrived just now. */
async function claimWaiting(db: Kysely<Tables>, set: WorkingSet, activation: ActivationState): Promise<void> {
  const waiting = await db
    .selectFrom('results')
    .selectAll()
    .where('activation_id', '=', activation.id)
    .where('target_number', 'is', null)
    .orderBy('at')
    .orderBy('source_id')
    .orderBy('ordinal')
    .execute()
  if (waiting.length === 0) return
  const arrivals = waiting.map(row => arrivalOf(row as ResultsTable))
  const claimed = arrivals.map(arrival => ({ arrival, ...applyToTarget(set, activation, arrival) }))
  restateActivation(set, activation, { source: 'record', sourceId: null })
  // Now that its time of submission is known, the activation may rank differently among those that spoke of a profile.
  await foldProfiles(db, set, activation, arrivals)
  await sql`
    update results s set target_number = r.number
    from ${rowsOf(
      claimed.map(({ arrival, number }) => ({ id: arrival.sourceId, ordinal: arrival.ordinal, number })),
      'id uuid, ordinal smallint, number integer',
    )}
    where s.source_id = r.id and s.ordinal = r.ordinal`.execute(db)
  await sql`
    update callbacks c set verdict = s.verdict
    from (
      select id, case when bool_or(changed) then 'applied' else 'unchanged' end as verdict
      from ${rowsOf(
        claimed.map(({ arrival, changed }) => ({ id: arrival.sourceId, changed })),
        'id uuid, changed boolean',
      )} group by id
    ) s
    where c.id = s.id and c.verdict = 'unmatched'`.execute(db)
}
