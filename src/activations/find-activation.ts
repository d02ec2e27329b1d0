import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { ActivationsTable, Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import { ofAccounts } from '../operating/of-accounts.ts'

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
    ${shown} from activations a ${named(requestId, accounts)}`.execute(db)
  return rows[0] ?? null
}

/** What decides how an activation is shown. Costs less than all that is shown, which is computed from its targets. */
export type ActivationVersion = Pick<FoundActivation, 'id' | 'version' | 'overdue_now'>

export async function findActivationVersion(
  db: Kysely<Tables>,
  requestId: string,
  accounts: Accounts,
): Promise<ActivationVersion | null> {
  const { rows } = await sql<ActivationVersion>`
    select a.id, a.version, ${isOverdue} as overdue_now from activations a ${named(requestId, accounts)}`.execute(db)
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

export const shown = sql`
  select a.*, ${isOverdue} as overdue_now,
    (select case when count(*) > 0 then json_build_object(
        'p50', percentile_disc(0.5) within group (order by waited.ms),
        'p95', percentile_disc(0.95) within group (order by waited.ms),
        'max', max(waited.ms)) end
      from (
        select greatest(0, round(extract(epoch from t.first_result_at - a.submitted_at) * 1000))::bigint as ms
        from targets t where t.activation_id = a.id and t.first_result_at is not null
      ) waited
    ) as time_to_callback`
