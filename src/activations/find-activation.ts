import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { ActivationsTable, Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import { ofAccounts } from '../operating/of-accounts.ts'

export type FoundActivation = Omit<ActivationsTable, 'id'> & {
  id: string
  overdue_now: boolean
}

/**
 * One recorded activation that these accounts may see, or null. A requestId alone does not tell two accounts apart; of
 * several activations, the one submitted last is meant. Our own name for a submission that was once unknown still finds
 * it.
 */
export async function findActivation(
  db: Kysely<Tables>,
  requestId: string,
  accounts: Accounts,
): Promise<FoundActivation | null> {
  const { rows } = await sql<FoundActivation>`
    ${shown} from activations a ${named(requestId, accounts)}`.execute(db)
  return rows[0] ?? null
}

function named(requestId: string, accounts: Accounts): RawBuilder<unknown> {
  return sql`
    where a.request_id = (
        select coalesce((select s.request_id from submissions s where s.name = ${requestId}), ${requestId}))
      and a.recorded_at is not null and ${ofAccounts('a.account_name', accounts)}
    order by a.submitted_at desc
    limit 1`
}

const isOverdue = sql`(a.overdue or (a.settled_at is null and a.expected_by < clock_timestamp()))`

export const shown = sql`select a.*, ${isOverdue} as overdue_now`
