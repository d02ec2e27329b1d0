import { type Kysely, sql } from 'kysely'
import type { ActivationStatus } from '../activations/activation-status.ts'
import { rowsOf } from '../database/rows.ts'
import type { ActivationsTable, Tables } from '../database/tables.ts'
import type { ActivationState } from './working-set.ts'

export interface RequestName {
  accountName: string
  requestId: string
}

export interface LockedActivations {
  /** The database's clock, after all locks were had. */
  now: Date
  activations: ActivationState[]
}

type LockedRow = Omit<ActivationsTable, 'id'> & { id: string; now: Date }

/**
 * Makes and locks the shared row of each request. Recording an activation and receiving its callback both start here:
 * whoever comes second sees what the first one committed, so no pair can miss each other. Locked in one order, or two
 * batches would deadlock.
 */
export async function lockActivations(db: Kysely<Tables>, names: readonly RequestName[]): Promise<LockedActivations> {
  const distinct = [...new Map(names.map(name => [`${name.requestId} ${name.accountName}`, name])).values()]
  if (distinct.length === 0) return { now: await databaseTime(db), activations: [] }
  const { rows } = await sql<LockedRow>`
    insert into activations as a (request_id, account_name, submitted_at)
    select "requestId", "accountName", clock_timestamp()
    from ${rowsOf(distinct, '"requestId" text, "accountName" text')}
    order by 1, 2
    on conflict (request_id, account_name) do update set version = a.version
    returning a.*, clock_timestamp()::timestamptz(3) as now`.execute(db)
  const now = new Date(Math.max(...rows.map(row => row.now.getTime())))
  return { now, activations: rows.map(activationState) }
}

async function databaseTime(db: Kysely<Tables>): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp()::timestamptz(3) as now`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('the database did not tell its time')
  return row.now
}

export function activationState(row: Omit<ActivationsTable, 'id'> & { id: string }): ActivationState {
  const { targets, pending, warning, succeeded, failed, conflict } = row
  return {
    id: row.id,
    accountName: row.account_name,
    requestId: row.request_id,
    recorded: row.recorded_at !== null,
    operation: row.operation,
    submittedAt: row.submitted_at,
    expectedBy: row.expected_by,
    settledAt: row.settled_at,
    status: row.status as ActivationStatus,
    overdue: row.overdue,
    counts: { targets, pending, warning, succeeded, failed, conflict },
    version: row.version,
    touched: false,
  }
}
