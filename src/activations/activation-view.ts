import Type, { type Static } from 'typebox'
import { Maybe, Time } from '../operating/schemas.ts'
import type { FoundActivation } from './find-activation.ts'

const Count = Type.Integer({ minimum: 0 })

export const ActivationStatus = Type.Enum(['pending', 'partial', 'succeeded', 'failed', 'mixed', 'conflict', 'unknown'])

/** An activation as the API shows it. */
export const ActivationView = Type.Object(
  {
    requestId: Type.String(),
    accountName: Type.String(),
    operation: Type.String(),
    servicePlan: Maybe(Type.String()),
    submittedAt: Time,
    expectedBy: Maybe(Time),
    settledAt: Maybe(Time),
    status: ActivationStatus,
    overdue: Type.Boolean({ description: 'a target has no final result although expectedBy has passed' }),
    counts: Type.Object({
      targets: Count,
      pending: Count,
      warning: Count,
      succeeded: Count,
      failed: Count,
      conflict: Count,
    }),
    timeToCallbackMs: Type.Object(
      { p50: Maybe(Count), p95: Maybe(Count), max: Maybe(Count) },
      { description: 'milliseconds from submission to the first callback of a target; null before the first one' },
    ),
  },
  { $id: 'Activation', title: 'Activation' },
)
export type ActivationView = Static<typeof ActivationView>

export function activationView(row: FoundActivation): ActivationView {
  const { targets, pending, warning, succeeded, failed, conflict } = row
  return {
    requestId: row.request_id,
    accountName: row.account_name,
    operation: row.operation,
    servicePlan: row.service_plan,
    submittedAt: row.submitted_at.toISOString(),
    expectedBy: row.expected_by?.toISOString() ?? null,
    settledAt: row.settled_at?.toISOString() ?? null,
    status: row.status as ActivationView['status'],
    overdue: row.overdue_now,
    counts: { targets, pending, warning, succeeded, failed, conflict },
    timeToCallbackMs: row.time_to_callback ?? { p50: null, p95: null, max: null },
  }
}
