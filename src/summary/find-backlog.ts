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
      (select count(*)::int from activations where overdue) as overdue,
      ${age(sql`select min(expected_by) from activations where overdue`)} as "overdueSeconds",
      ${age(oldestUnmatched(all))} as "unmatchedSeconds",
      ${age(oldestPending(all))} as "pendingSeconds"`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('a select without from has one row')
  return row
}
