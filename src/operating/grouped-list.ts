import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { CursorKey } from './cursor.ts'
import { beyond, orderBy, type Part } from './page.ts'

export interface GroupedList<Row> {
  /** Selects the `group_id` of every group that passes the filter. */
  groups: RawBuilder<unknown>
  table: 'profiles' | 'activations' | 'callbacks'
  /** Further rows `t` that belong to the list, in none of these groups: few, and found by an index of their own. */
  others?: RawBuilder<unknown> | undefined
  /** An additional condition on a row `t`, which nearly all rows of its groups meet. */
  where: RawBuilder<unknown>
  keyOf: (row: Row) => CursorKey
  /** Selects what is shown of the rows whose keys are in `found t`, and `t.more` for each. */
  show: RawBuilder<unknown>
}

/** How many rows of each group to read at first, when there are many groups. */
const fewest = 4

/**
 * A part of a list whose rows lie in several groups, in one common order. Each group has an index in that order, so a
 * few rows of each are read and merged. What comes after the last row read of a group that has more is not certain yet,
 * and is read in another round, with more rows of each. Of more groups than rows are wanted, only those with the first
 * rows can have a part in it. So a page costs as much as its rows and its groups, not as much as what is stored.
 */
export async function findInGroups<Row>(
  db: Kysely<Tables>,
  { groups, others, table, where, keyOf, show }: GroupedList<Row>,
  limit: number,
  part: Part,
): Promise<Row[]> {
  const keys = sql.join(part.order.map(column => sql.ref(column)))
  const order = orderBy(part)
  const rows: Row[] = []
  for (let share = 4, behind = part.behind; ; share *= 8) {
    const wanted = limit - rows.length
    const here = beyond({ ...part, behind })
    const besides =
      others === undefined
        ? sql``
        : sql` union all (
            select t.group_id, ${keys} from ${sql.table(table)} t
            where ${others} and ${here} and ${where} order by ${order} limit ${wanted})`
    const { rows: found } = await sql<Row & { more: boolean }>`
      with groups as materialized (${groups}), foremost as materialized (
        select group_id from groups where (select count(*) from groups) <= ${wanted}
        union all (
          select g.group_id from groups g cross join lateral (
            select ${keys} from ${sql.table(table)} t
            where t.group_id = g.group_id and ${here} and ${where} order by ${order} limit 1
          ) t
          where (select count(*) from groups) > ${wanted} order by ${order} limit ${wanted})
      ), share as materialized (
        select least(${wanted}, greatest(${fewest}, ${share * wanted}::int / greatest(count(*), 1)))::int as rows from foremost
      ), read as materialized (
        select t.*, row_number() over (partition by t.group_id order by ${order}) as number
        from (
          select t.* from foremost g cross join lateral (
            select t.group_id, ${keys} from ${sql.table(table)} t
            where t.group_id = g.group_id and ${here} and ${where} order by ${order} limit (select rows from share)
          ) t${besides}
        ) t
      ), sure_to as materialized (
        select t.* from read t where number = (select rows from share) order by ${order} limit 1
      ), found as materialized (
        select ${keys}, exists (select from sure_to) as more from read t
        where not exists (select from sure_to) or (${keys}) ${part.ascending ? sql`<=` : sql`>=`}
          (select ${sql.join(part.order.map(column => sql.ref(column.replace(/^t\./, 's.'))))} from sure_to s)
        order by ${order} limit ${wanted}
      )
      ${show} order by ${order}`.execute(db)
    rows.push(...found)
    const last = found.at(-1)
    if (last === undefined || !last.more || rows.length >= limit) return rows
    behind = keyOf(last)
  }
}
