import { type Kysely, sql } from 'kysely'
import { byKey } from '../database/by-key.ts'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { findInGroups } from '../operating/grouped-list.ts'
import { countedOf } from '../operating/of-accounts.ts'
import { type Found, findPage, type PageRequest } from '../operating/page.ts'
import { readTime } from '../operating/read-time.ts'
import { activationOf, type FoundProfile, profiles } from './find-profiles.ts'

export interface ProfileFilter {
  accountName?: string | undefined
  state?: string | undefined
  profileStatus?: string | undefined
  profileRole?: string | undefined
  servicePlan?: string | undefined
  result?: string | undefined
  changedAfter?: string | undefined
}

/**
 * Profiles that these accounts may see, in the order of their ICCIDs, which no write changes. Those changed after a
 * time come in the order of their changes: a profile that changes while the list is read moves to the end, and comes
 * again.
 */
export function listProfiles(
  db: Kysely<Tables>,
  cursors: Cursors,
  filter: ProfileFilter,
  accounts: Accounts,
  page: PageRequest,
): Promise<Found<FoundProfile>> {
  const { changedAfter } = filter
  const byChange = changedAfter !== undefined
  const keyOf = (row: FoundProfile) => [
    ...(byChange ? [row.changed_at.toISOString()] : []),
    row.iccid,
    row.account_name,
  ]
  return findPage<FoundProfile>(cursors, page, {
    listOf: ['profiles', filter, accounts],
    order: [...(byChange ? ['t.changed_at'] : []), 't.iccid', 't.account_name'],
    keyOf,
    find: (_condition, _order, limit, part) => {
      const list = {
        table: 'profiles',
        groups: sql`
          select group_id from profile_counts where ${countedOf(accounts)} and ${matching(filter)}
          group by 1 having sum(profiles) > 0`,
        where: byChange ? sql`t.changed_at > ${readTime('changedAfter', changedAfter)}` : sql`true`,
        keyOf,
        show: sql`
          select p.*, a.request_id, a.operation, t.more
          from found t
          ${byKey(sql`${profiles} where p.iccid = t.iccid and p.account_name = t.account_name`)} p
          ${activationOf('p')}`,
      } as const
      return findInGroups<FoundProfile>(db, list, limit, part)
    },
  })
}

function matching({ accountName, state, profileStatus, profileRole, servicePlan, result }: ProfileFilter) {
  const wanted = {
    account_name: accountName,
    state,
    profile_status: profileStatus,
    profile_role: profileRole,
    service_plan: servicePlan,
    result,
  }
  const conditions = Object.entries(wanted).flatMap(([column, value]) =>
    value === undefined ? [] : [sql`${sql.ref(column)} = ${value}`],
  )
  return sql.join([sql`true`, ...conditions], sql` and `)
}
