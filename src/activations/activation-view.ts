import Type, { type Static } from 'typebox'
import { Maybe, Time } from '../operating/schemas.ts'
import type { TimedActivation } from './activation-times.ts'

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
      { description: 'milliseconds from submission to the first callback of each target; null before the first one' },
    ),
  },
  {
    $id: 'Activation',
    title: 'Activation',
    examples: [
      {
        requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8',
        accountName: '0000123456-00001',
        operation: 'activate',
        servicePlan: 'EXAMPLE_PLAN',
        submittedAt: '2026-11-23T18:46:00.000Z',
        expectedBy: '2026-11-23T19:01:00.000Z',
        settledAt: null,
        status: 'partial',
        overdue: false,
        counts: { targets: 2, pending: 1, warning: 0, succeeded: 1, failed: 0, conflict: 0 },
        timeToCallbackMs: { p50: 60_000, p95: 60_000, max: 60_000 },
      },
    ],
  },
)
export type ActivationView = Static<typeof ActivationView>

/** Milliseconds; see `timeToCallbackMs`. */
export interface TimeToCallback {
  p50: number
  p95: number
  max: number
}

export function activationView(row: TimedActivation): ActivationView {
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
    timeToCallbackMs: row.time ?? { p50: null, p95: null, max: null },
  }
}
