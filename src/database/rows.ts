import { type RawBuilder, sql } from 'kysely'
import { columnsOf, columnValues, unnested } from './columns.ts'

/**
 * A list of rows as one array parameter per column, for set-based SQL: `from ${rowsOf(rows, 'id uuid, at
 * timestamptz')}`. The columns are named r.*. The statement's text is the same for any number of rows, so it is parsed
 * once. What receiving runs for every batch is a `statement` instead, which does not rebuild its text each time.
 */
export function rowsOf(rows: readonly object[], columns: string): RawBuilder<unknown> {
  const list = columnsOf(columns)
  const values = columnValues(list, rows)
  const texts = unnested(list, () => '?').split('?')
  return sql(texts as unknown as TemplateStringsArray, ...values)
}
