import { type RawBuilder, sql } from 'kysely'
import type { Accounts } from './access.ts'

/**
 * The condition that a row belongs to one of these accounts. Inside a select of its own, a list costs the planner the
 * same whatever it contains, so one plan serves every request; otherwise each would be planned anew. Written so that no
 * index answers it: a profile or a request is found by its own, and the planner may believe that an account has few rows.
 */
export function ofAccounts(column: string, accounts: Accounts): RawBuilder<unknown> {
  return accounts === '*' ? sql`true` : sql`array[${sql.ref(column)}] <@ (select ${accounts}::text[])`
}

/**
 * The same for kept counts, which are all looked at: each row is looked up among the accounts instead of compared with
 * every one of them. (Without `is true` the planner would make a join of it, which compares.)
 */
export function countedOf(accounts: Accounts): RawBuilder<unknown> {
  return accounts === '*' ? sql`true` : sql`(account_name in (select unnest(${accounts}::text[]))) is true`
}
