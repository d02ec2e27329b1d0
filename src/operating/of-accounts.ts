import { type RawBuilder, sql } from 'kysely'
import type { Accounts } from './access.ts'

/**
 * The condition that a row is of one of these accounts. Within a select of its own a list costs the planner the same
 * whatever it holds, so that one plan serves every request; else each would be planned anew.
 */
export function ofAccounts(column: string, accounts: Accounts): RawBuilder<unknown> {
  return accounts === '*' ? sql`true` : sql`${sql.ref(column)} = any ((select ${accounts}::text[])::text[])`
}
