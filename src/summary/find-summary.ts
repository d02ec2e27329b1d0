import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import { countedOf, ofAccounts } from '../operating/of-accounts.ts'

export interface FoundSummary {
  profiles: { state: string | null; profileRole: string | null; profileStatus: string | null; count: number }[]
  /** By status; and `overdue`, which counts activations of any status. */
  activations: Record<string, number>
  verdicts: Record<string, number>
  minutes: { minute: string; count: number; verdicts: Record<string, number> }[]
  oldest_unmatched_at: Date | null
  oldest_pending_at: Date | null
}

/** One statement, and so one moment: from maintained counts, and the first index entry of each group. */
export async function findSummary(db: Kysely<Tables>, accounts: Accounts): Promise<FoundSummary> {
  const visible = countedOf(accounts)
  const { rows } = await sql<FoundSummary>`
    with counted as materialized (
      select verdict, minute, sum(callbacks)::bigint as count from callback_counts where ${visible} group by 1, 2
    ), by_minute as materialized (
      select minute, sum(count)::bigint as count, json_object_agg(verdict, count) as verdicts from counted
      where minute > statement_timestamp() - interval '1 hour' group by 1
    )
    select
      (select coalesce(json_agg(g), '[]') from (
        select state, profile_role as "profileRole", profile_status as "profileStatus", sum(profiles)::bigint as count
        from profile_counts where ${visible} group by 1, 2, 3 having sum(profiles) <> 0 order by 1, 2, 3
      ) g) as profiles,
      (select coalesce(json_object_agg(name, count), '{}') from (
        select status as name, sum(activations)::bigint as count from activation_counts where ${visible} group by 1
        union all
        select 'overdue', coalesce(sum(activations), 0)::bigint + (
          select count(*) from activations
          where recorded_at is not null and settled_at is null and not overdue and expected_by < now()
            and ${ofAccounts('account_name', accounts)})
        from activation_counts where overdue and ${visible}
      ) g) as activations,
      (select coalesce(json_object_agg(verdict, count), '{}') from (
        select verdict, sum(count)::bigint as count from counted group by 1
      ) g) as verdicts,
      (select json_agg(g) from (
        select to_char(m.minute at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as minute,
          coalesce(c.count, 0) as count, coalesce(c.verdicts, '{}') as verdicts
        from generate_series(
            date_trunc('minute', statement_timestamp()) - interval '59 minutes', statement_timestamp(), interval '1 minute'
          ) as m(minute)
          left join by_minute c on c.minute = m.minute
        order by m.minute
      ) g) as minutes,
      (${oldestUnmatched(visible)}) as oldest_unmatched_at,
      (${oldestPending(visible)}) as oldest_pending_at`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('a select without from has one row')
  return row
}

/** The first index entry of each group that has any. */
export function oldestUnmatched(visible: RawBuilder<unknown>): RawBuilder<Date | null> {
  return sql`
    select min(oldest.received_at) from (
      select group_id from callback_counts where verdict = 'unmatched' and ${visible}
      group by 1 having sum(callbacks) > 0
    ) g cross join lateral (
      select received_at from callbacks where group_id = g.group_id order by received_at limit 1
    ) oldest`
}

export function oldestPending(visible: RawBuilder<unknown>): RawBuilder<Date | null> {
  return sql`
    select min(oldest.submitted_at) from (
      select group_id from activation_counts where status in ('pending', 'partial') and ${visible}
      group by 1 having sum(activations) > 0
    ) g cross join lateral (
      select submitted_at from activations
      where group_id = g.group_id and recorded_at is not null order by submitted_at limit 1
    ) oldest`
}
