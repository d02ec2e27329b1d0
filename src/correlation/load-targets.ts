import { type Kysely, sql } from 'kysely'
import type { Evidence } from '../activations/result.ts'
import { rowsOf } from '../database/rows.ts'
import type { Tables, TargetsTable } from '../database/tables.ts'
import { imeiBase } from '../thingspace/identifiers.ts'
import type { Arrival, TargetState } from './working-set.ts'

/**
 * The targets that the reports could mean: those that share an identifier. No lock of their own: every writer of a
 * target holds its activation's row.
 */
export async function loadTargets(
  db: Kysely<Tables>,
  arrivals: readonly Arrival[],
): Promise<Map<string, TargetState[]>> {
  if (arrivals.length === 0) return new Map()
  const wanted = arrivals.map(({ activationId, report }) => ({
    a: activationId,
    iccid: report.identifiers.iccid,
    eid: report.identifiers.eid,
    imei: report.identifiers.imei === null ? null : imeiBase(report.identifiers.imei),
  }))
  const { rows } = await sql<TargetsTable>`
    with wanted as materialized (select * from ${rowsOf(wanted, 'a bigint, iccid text, eid text, imei text')})
    select t.* from wanted w join targets t on t.activation_id = w.a and t.iccid = w.iccid
    union
    select t.* from wanted w join targets t on t.activation_id = w.a and t.eid = w.eid
    union
    select t.* from wanted w join targets t on t.activation_id = w.a and left(t.imei, 14) = w.imei
    `.execute(db)
  return byActivation(rows.map(targetState))
}

export function byActivation(targets: readonly TargetState[]): Map<string, TargetState[]> {
  return Map.groupBy(targets, target => target.activationId)
}

export function targetState(row: TargetsTable): TargetState {
  return {
    activationId: row.activation_id,
    number: row.number,
    requested: row.requested,
    eid: row.eid,
    iccid: row.iccid,
    imei: row.imei,
    learned: { eid: row.learned_eid, iccid: row.learned_iccid, imei: row.learned_imei },
    evidence: row.evidence as Evidence,
    callbacks: row.callbacks,
    overdue: row.overdue,
    firstResultAt: row.first_result_at,
    settledAt: row.settled_at,
    touched: false,
  }
}
