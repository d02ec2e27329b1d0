import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { ActivationsTable, Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { ofAccounts } from '../operating/of-accounts.ts'
import { type Found, findPage, type PageRequest } from '../operating/page.ts'

export type FoundActivation = Omit<ActivationsTable, 'id'> & {
  id: string
  overdue_now: boolean
  time_to_callback: { p50: number; p95: number; max: number } | null
}

/**
 * One recorded activation that these accounts may see, or null. Two accounts can't be told apart by a requestId alone,
 * so of several the one submitted last is meant. Our own name for a submission that was unknown goes on naming it.
 */
export async function findActivation(
  db: Kysely<Tables>,
  requestId: string,
  accounts: Accounts,
): Promise<FoundActivation | null> {
  const { rows } = await sql<FoundActivation>`
    ${shown}
    where a.request_id = (
        select coalesce((select s.request_id from submissions s where s.name = ${requestId}), ${requestId}))
      and a.recorded_at is not null and ${ofAccounts('a.account_name', accounts)}
    order by a.submitted_at desc
    limit 1`.execute(db)
  return rows[0] ?? null
}

export interface ActivationFilter {
  accountName?: string | undefined
  operation?: string | undefined
  status?: string | undefined
  overdue?: boolean | undefined
  submittedAfter?: string | undefined
  submittedBefore?: string | undefined
}

/** Recorded activations that these accounts may see, in the order they were recorded under, newest first. */
export function findActivations(
  db: Kysely<Tables>,
  cursors: Cursors,
  filter: ActivationFilter,
  accounts: Accounts,
  page: PageRequest,
): Promise<Found<FoundActivation>> {
  return findPage<FoundActivation>(cursors, page, {
    listOf: ['activations', filter, accounts],
    order: ['a.id'],
    descending: true,
    keyOf: row => [row.id],
    find: async (condition, order, limit) => {
      const { rows } = await sql<FoundActivation>`
        ${shown}
        where a.recorded_at is not null and ${visible(accounts)} and ${matching(filter)} and ${condition}
        order by ${order} limit ${limit}`.execute(db)
      return rows
    },
  })
}

const isOverdue = sql`(a.overdue or (a.settled_at is null and a.expected_by < clock_timestamp()))`

const shown = sql`
  select a.*, ${isOverdue} as overdue_now,
    (select case when count(*) > 0 then json_build_object(
        'p50', percentile_disc(0.5) within group (order by waited.ms),
        'p95', percentile_disc(0.95) within group (order by waited.ms),
        'max', max(waited.ms)) end
      from (
        select greatest(0, round(extract(epoch from t.first_result_at - a.submitted_at) * 1000))::bigint as ms
        from targets t where t.activation_id = a.id and t.first_result_at is not null
      ) waited
    ) as time_to_callback
  from activations a`

function visible(accounts: Accounts): RawBuilder<unknown> {
  return accounts === '*' ? sql`true` : sql`a.account_name = any(${accounts})`
}

function matching(filter: ActivationFilter): RawBuilder<unknown> {
  const { accountName, operation, status, overdue, submittedAfter, submittedBefore } = filter
  const conditions = [
    sql`true`,
    accountName === undefined ? null : sql`a.account_name = ${accountName}`,
    operation === undefined ? null : sql`a.operation = ${operation}`,
    status === undefined ? null : sql`a.status = ${status}`,
    overdue === undefined ? null : sql`${isOverdue} = ${overdue}`,
    submittedAfter === undefined ? null : sql`a.submitted_at > ${new Date(submittedAfter)}`,
    submittedBefore === undefined ? null : sql`a.submitted_at < ${new Date(submittedBefore)}`,
  ]
  return sql.join(
    conditions.filter(condition => condition !== null),
    sql` and `,
  )
}
