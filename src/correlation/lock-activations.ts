import { type Kysely, sql } from 'kysely'
import type { ActivationStatus } from '../activations/activation-status.ts'
import { rowsOf } from '../database/rows.ts'
import type { ActivationsTable, Tables } from '../database/tables.ts'
import { together } from '../database/together.ts'
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

/**
 * Makes and locks the shared row of each request. Recording an activation and receiving its callback both start here:
 * whoever comes second sees what the first one committed, so no pair can miss each other. Locked in one order, or two
 * batches would deadlock.
 */
export async function lockActivations(db: Kysely<Tables>, names: readonly RequestName[]): Promise<LockedActivations> {
  const distinct = [...new Map(names.map(name => [`${name.requestId} ${name.accountName}`, name])).values()]
  const [, rows, now] = await together([makeMissing(db, distinct), lockRows(db, distinct), databaseTime(db)])
  return { now, activations: rows.map(activationState) }
}

async function makeMissing(db: Kysely<Tables>, names: readonly RequestName[]): Promise<void> {
  if (names.length === 0) return
  await sql`
    insert into activations (request_id, account_name, submitted_at)
    select "requestId", "accountName", clock_timestamp()
    from ${rowsOf(names, '"requestId" text, "accountName" text')}
    where not exists (
      select from activations a where a.request_id = r."requestId" and a.account_name = r."accountName"
    )
    order by 1, 2
    on conflict (request_id, account_name) do nothing`.execute(db)
}

async function lockRows(db: Kysely<Tables>, names: readonly RequestName[]) {
  if (names.length === 0) return []
  const { rows } = await sql<Omit<ActivationsTable, 'id'> & { id: string }>`
    select a.* from ${rowsOf(names, '"requestId" text, "accountName" text')}
    join activations a on a.request_id = r."requestId" and a.account_name = r."accountName"
    order by a.request_id, a.account_name
    for update of a`.execute(db)
  return rows
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
