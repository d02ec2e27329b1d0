import Type, { type Static } from 'typebox'
import type { TargetsTable } from '../database/tables.ts'
import { Maybe, Time } from '../operating/schemas.ts'

const Text = Maybe(Type.String())
export const Result = Type.Enum(['pending', 'warning', 'succeeded', 'failed', 'conflict'])

/** One device of an activation. Identifiers that callbacks supplied are shown beside those that were asked for. */
export const TargetView = Type.Object(
  {
    eid: Text,
    iccid: Text,
    imei: Text,
    requested: Type.Boolean({ description: 'false: a callback named a device that nobody asked for' }),
    result: Result,
    overdue: Type.Boolean(),
    faultCode: Text,
    faultMessage: Text,
    source: Maybe(Type.Enum(['callback', 'poll', 'manual'])),
    settledAt: Maybe(Time),
    callbacks: Type.Integer({ minimum: 0, description: 'distinct callbacks that spoke of it' }),
  },
  {
    title: 'Target',
    examples: [
      {
        eid: '89001000000000000000000000000177',
        iccid: '89999000000000000015',
        imei: '001013000000010',
        requested: true,
        result: 'succeeded',
        overdue: false,
        faultCode: null,
        faultMessage: null,
        source: 'callback',
        settledAt: '2026-11-23T18:47:00.000Z',
        callbacks: 1,
      },
    ],
  },
)
export type TargetView = Static<typeof TargetView>

export type FoundTarget = TargetsTable & { overdue_now: boolean }

export function targetView(row: FoundTarget): TargetView {
  return {
    eid: row.eid ?? row.learned_eid,
    iccid: row.iccid ?? row.learned_iccid,
    imei: row.imei ?? row.learned_imei,
    requested: row.requested,
    result: row.result as TargetView['result'],
    overdue: row.overdue_now,
    faultCode: row.fault_code,
    faultMessage: row.fault_message,
    source: row.source as TargetView['source'],
    settledAt: row.settled_at?.toISOString() ?? null,
    callbacks: row.callbacks,
  }
}
