import { type RawBuilder, sql } from 'kysely'

/**
 * A list of rows as one parameter, for set-based SQL: `from ${rowsOf(rows, 'id uuid, at timestamptz')}`. The columns
 * are named r.*. One json parameter keeps the statement's text the same for any number of rows.
 */
export function rowsOf(rows: readonly object[], columns: string): RawBuilder<unknown> {
  return sql`json_to_recordset(${JSON.stringify(rows)}::json) as r(${sql.raw(columns)})`
}
