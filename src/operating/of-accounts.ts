import { type RawBuilder, sql } from 'kysely'
import type { Accounts } from './access.ts'

/**
 * The condition that a row belongs to one of these accounts. Inside a select of its own, a list costs the planner the
 * same whatever it contains, so one plan serves every request; otherwise each would be planned anew.
 */
export function ofAccounts(column: string, accounts: Accounts): RawBuilder<unknown> {
  return accounts === '*' ? sql`true` : sql`${sql.ref(column)} = any ((select ${accounts}::text[])::text[])`
}
