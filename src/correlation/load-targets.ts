import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Evidence } from '../activations/result.ts'
import { rowsOf } from '../database/rows.ts'
import { rows, statement } from '../database/statement.ts'
import type { Tables, TargetsTable } from '../database/tables.ts'
import { imeiBase } from '../thingspace/identifiers.ts'
import type { Identifiers } from '../thingspace/report.ts'
import type { TargetState } from './working-set.ts'

/** An ICCID that a report names, with its request. */
export interface NamedIccid {
  accountName: string
  requestId: string
  iccid: string
}

/**
 * The targets that were asked for by exactly these ICCIDs. They need no lock of their own: every writer of a target
 * holds its activation's row.
 */
export async function loadTargetsByIccid(db: Kysely<Tables>, named: readonly NamedIccid[]): Promise<TargetState[]> {
  const distinct = [...new Map(named.map(name => [Object.values(name).join(' '), name])).values()]
  return (await targetsByIccid.execute(db, distinct)).map(targetState)
}

/** The targets that the reports could mean: those that share an identifier with one. */
export async function loadTargets(
  db: Kysely<Tables>,
  arrivals: readonly { activationId: string; report: { identifiers: Identifiers } }[],
): Promise<Map<string, TargetState[]>> {
  if (arrivals.length === 0) return new Map()
  const wanted = arrivals.map(({ activationId, report }) => ({
    a: activationId,
    iccid: report.identifiers.iccid,
    eid: report.identifiers.eid,
    imei: report.identifiers.imei === null ? null : imeiBase(report.identifiers.imei),
  }))
  const targets = await select(
    db,
    sql`(
      with wanted as materialized (select * from ${rowsOf(wanted, 'a bigint, iccid text, eid text, imei text')})
      select t.activation_id, t.number from wanted w join targets t on t.iccid = w.iccid and ${ofActivation} = w.a
      union
      select t.activation_id, t.number from wanted w join targets t on t.eid = w.eid and ${ofActivation} = w.a
      union
      select t.activation_id, t.number from wanted w join targets t on left(t.imei, 14) = w.imei and ${ofActivation} = w.a
    ) n join targets t on t.activation_id = n.activation_id and t.number = n.number`,
  )
  return byActivation(targets)
}

/** Keeps the planner off the primary key, which would read all targets of a bulk activation. */
const ofActivation = sql`t.activation_id + 0`

const loaded = `t.activation_id, t.number, t.requested, t.eid, t.iccid, t.imei, t.learned_eid, t.learned_iccid,
  t.learned_imei, t.evidence, t.callbacks, t.overdue, t.first_result_at, t.settled_at`

const targetsByIccid = statement<TargetsTable>`
  with asked as materialized (
    select a.id, r.iccid from ${rows('"accountName" text, "requestId" text, iccid text')}
    join activations a on a.request_id = r."requestId" and a.account_name = r."accountName"
    where a.recorded_at is not null
  )
  select ${loaded} from asked n join targets t on t.iccid = n.iccid and t.activation_id + 0 = n.id`

async function select(db: Kysely<Tables>, from: RawBuilder<unknown>): Promise<TargetState[]> {
  const { rows: found } = await sql<TargetsTable>`select ${sql.raw(loaded)} from ${from}`.execute(db)
  return found.map(targetState)
}

export function byActivation(targets: readonly TargetState[]): Map<string, TargetState[]> {
  return Map.groupBy(targets, target => target.activationId)
}

function targetState(row: TargetsTable): TargetState {
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
    isNew: false,
    touched: false,
  }
}
