import type { Kysely } from 'kysely'
import type { ActivationStatus } from '../activations/activation-status.ts'
import { rows, statement } from '../database/statement.ts'
import type { ActivationsTable, Tables } from '../database/tables.ts'
import type { ActivationState } from './working-set.ts'

export interface RequestName {
  accountName: string
  requestId: string
  /** When the first callback named it, if that was long ago, because the callback lay in the spool. */
  namedAt?: Date | undefined
}

export interface LockedActivations {
  /** The database's clock, read after all locks were taken. */
  now: Date
  activations: ActivationState[]
}

/**
 * Makes and locks the shared row of each request. Recording an activation and receiving its callback both start here:
 * whoever comes second sees what the first one committed, so neither can miss the other. Always locked in the same
 * order, or two batches would deadlock.
 */
export async function lockActivations(
  db: Kysely<Tables>,
  requests: readonly RequestName[],
): Promise<LockedActivations> {
  for (;;) {
    const locked = await tryLockActivations(db, requests)
    if (locked !== null) return locked
  }
}

/**
 * null when somebody else made one of the rows at the same moment: then try again, and repeat all that was read after
 * it.
 */
export async function tryLockActivations(
  db: Kysely<Tables>,
  requests: readonly RequestName[],
): Promise<LockedActivations | null> {
  const distinct = eachOnce(requests)
  if (distinct.length === 0) return { now: latestOf(await readClock.execute(db)), activations: [] }
  const locked = await lock.execute(db, distinct, distinct)
  if (locked.length < distinct.length) return null
  return { now: latestOf(locked), activations: locked.map(activationState) }
}

/** Where several name the same request, the one that named it first. */
function eachOnce(requests: readonly RequestName[]): RequestName[] {
  const byName = new Map<string, RequestName>()
  for (const request of requests) {
    const key = `${request.requestId} ${request.accountName}`
    const known = byName.get(key)
    if (known === undefined || timeOf(request) < timeOf(known)) byName.set(key, request)
  }
  return [...byName.values()]
}

function timeOf({ namedAt }: RequestName): number {
  return namedAt?.getTime() ?? Number.POSITIVE_INFINITY
}

function latestOf(read: readonly { clock: Date }[]): Date {
  return new Date(Math.max(...read.map(({ clock }) => clock.getTime())))
}

type Row = Omit<ActivationsTable, 'id'> & { id: string }

const names = rows('"requestId" text, "accountName" text')
const namesWithTimes = rows('"requestId" text, "accountName" text, "namedAt" timestamptz')

/** The clock is read row by row, each time after that row was locked: the latest reading is from after all locks. */
const lock = statement<Row & { clock: Date }>`
  with made as (
    insert into activations (request_id, account_name, submitted_at)
    select "requestId", "accountName", least(clock_timestamp(), "namedAt") from ${namesWithTimes}
    where not exists (
      select from activations a where a.request_id = r."requestId" and a.account_name = r."accountName"
    )
    order by 1, 2
    on conflict (request_id, account_name) do nothing
    returning *
  ), held as (
    select a.* from ${names}
    join activations a on a.request_id = r."requestId" and a.account_name = r."accountName"
    order by a.request_id, a.account_name
    for update of a
  )
  select *, clock_timestamp()::timestamptz(3) as clock from (select * from made union all select * from held) a`

const readClock = statement<{ clock: Date }>`select clock_timestamp()::timestamptz(3) as clock`

export function activationState(row: Row): ActivationState {
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
