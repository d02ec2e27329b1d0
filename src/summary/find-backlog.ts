import { sql } from 'kysely'
import type { Database } from '../database/pool.ts'
import { oldestPending, oldestUnmatched } from './find-summary.ts'

/** What waits for something, for the metrics; ages in seconds, 0 where nothing waits. */
export interface Backlog {
  overdue: number
  overdueSeconds: number
  unmatchedSeconds: number
  pendingSeconds: number
}

export async function findBacklog(db: Database): Promise<Backlog> {
  const all = sql`true`
  const age = (of: unknown) => sql`coalesce(greatest(extract(epoch from clock_timestamp() - (${of})), 0), 0)::float8`
  const { rows } = await sql<Backlog>`
    select
      (select coalesce(sum(activations), 0)::int from activation_counts where overdue) as overdue,
      ${age(longestOverdue)} as "overdueSeconds",
      ${age(oldestUnmatched(all))} as "unmatchedSeconds",
      ${age(oldestPending(all))} as "pendingSeconds"`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('a select without from has one row')
  return row
}

/** The first in the index of the unsettled: nearly all that are past their deadline are marked. */
const longestOverdue = sql`
  select expected_by from activations
  where recorded_at is not null and settled_at is null and expected_by < now() and overdue
  order by expected_by limit 1`
