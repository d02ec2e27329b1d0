import { type RawBuilder, sql } from 'kysely'

/**
 * Joins what belongs to each row so far: `from wanted w ${byKey(sql`select * from profiles p where p.eid = w.id`)} p`.
 * It is found anew for each of them, by an index. In a plain join the planner decides by the size it believes the tables
 * to have; on a database that has just been filled it believes them to be empty, reads all of one table first, and would
 * go on doing so until PostgreSQL counts its rows again. `offset 0` keeps it from turning the join round.
 */
export function byKey(found: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`cross join lateral (${found} offset 0)`
}
