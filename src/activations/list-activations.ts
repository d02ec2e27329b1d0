import { type Kysely, type RawBuilder, sql } from 'kysely'
import { byKey } from '../database/by-key.ts'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { findInGroups } from '../operating/grouped-list.ts'
import { countedOf } from '../operating/of-accounts.ts'
import { type Found, findPage, type PageRequest } from '../operating/page.ts'
import { readEnd, readTime } from '../operating/read-time.ts'
import { type FoundActivation, shown } from './find-activation.ts'

export interface ActivationFilter {
  accountName?: string | undefined
  operation?: string | undefined
  status?: string | undefined
  overdue?: boolean | undefined
  submittedAfter?: string | undefined
  submittedBefore?: string | undefined
}

/** Recorded activations that these accounts may see, in the order of their submission, newest first. */
export function listActivations(
  db: Kysely<Tables>,
  cursors: Cursors,
  filter: ActivationFilter,
  accounts: Accounts,
  page: PageRequest,
): Promise<Found<FoundActivation>> {
  const keyOf = (row: FoundActivation) => [row.submitted_at.toISOString(), row.id]
  return findPage<FoundActivation>(cursors, page, {
    listOf: ['activations', filter, accounts],
    order: ['t.submitted_at', 't.id'],
    descending: true,
    keyOf,
    find: (_condition, _order, limit, part) => {
      const list = {
        table: 'activations',
        groups: groupsOf(filter, accounts),
        others: filter.overdue === true ? sql`${isDue} and ${matching(filter, accounts)}` : undefined,
        where: where(filter),
        keyOf,
        show: sql`${shown}, t.more from found t ${byKey(sql`select * from activations a where a.id = t.id`)} a`,
      } as const
      return findInGroups<FoundActivation>(db, list, limit, part)
    },
  })
}

/** Past its deadline but not marked as overdue yet: that happens within seconds. */
const isDue = sql`t.settled_at is null and not t.overdue and t.expected_by < now()`

function groupsOf(filter: ActivationFilter, accounts: Accounts): RawBuilder<unknown> {
  const overdue = filter.overdue === undefined ? sql`true` : sql`overdue = ${filter.overdue}`
  return sql`
    select group_id from activation_counts where ${matching(filter, accounts)} and ${overdue}
    group by 1 having sum(activations) > 0`
}

/** Conditions on columns that have the same names in the counts. */
function matching({ accountName, operation, status }: ActivationFilter, accounts: Accounts): RawBuilder<unknown> {
  return all([
    countedOf(accounts),
    accountName === undefined ? null : sql`account_name = ${accountName}`,
    operation === undefined ? null : sql`operation = ${operation}`,
    status === undefined ? null : sql`status = ${status}`,
  ])
}

function where({ overdue, submittedAfter, submittedBefore }: ActivationFilter): RawBuilder<unknown> {
  return all([
    sql`t.recorded_at is not null`,
    overdue === false ? sql`(${isDue}) is not true` : null,
    submittedAfter === undefined ? null : sql`t.submitted_at > ${readTime('submittedAfter', submittedAfter)}`,
    submittedBefore === undefined ? null : sql`t.submitted_at < ${readEnd('submittedBefore', submittedBefore)}`,
  ])
}

function all(conditions: readonly (RawBuilder<unknown> | null)[]): RawBuilder<unknown> {
  return sql.join(
    conditions.filter(condition => condition !== null),
    sql` and `,
  )
}
