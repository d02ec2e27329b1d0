import { CompiledQuery, type Kysely } from 'kysely'
import { type Column, columnsOf, columnValues, unnested } from './columns.ts'
import type { Tables } from './tables.ts'

/** Where a list of rows goes into a statement: they are named r.*, and each column is one array parameter. */
export interface RowsPlace {
  columns: readonly Column[]
}

export interface Statement<R = unknown> {
  /** How many parameters it takes. */
  parameters: number
  /** The text, with parameters numbered from this one on. */
  text(firstParameter: number): string
  values(lists: readonly (readonly object[])[]): (string | null)[]
  /** One list of rows for each place, in their order. When all lists are empty, nothing is sent. */
  execute(db: Kysely<Tables>, ...lists: readonly (readonly object[])[]): Promise<R[]>
}

export function rows(columns: string): RowsPlace {
  return { columns: columnsOf(columns) }
}

/**
 * A set-based statement whose text is made once: each execution only supplies rows. Building the text again through
 * Kysely cost more than PostgreSQL takes to find the rows. A text in a place is inserted as it is: a name or a column
 * list of our own, never a value.
 */
export function statement<R = unknown>(texts: TemplateStringsArray, ...places: (RowsPlace | string)[]): Statement<R> {
  const lists = places.flatMap(place => (typeof place === 'string' ? [] : [place.columns]))
  const text = (firstParameter: number) => {
    let next = firstParameter
    const written = places.map(place =>
      typeof place === 'string' ? place : unnested(place.columns, () => `$${next++}`),
    )
    return String.raw({ raw: texts }, ...written)
  }
  const values = (given: readonly (readonly object[])[]) =>
    lists.flatMap((columns, at) => columnValues(columns, given[at] ?? []))
  const alone = text(1)
  return {
    parameters: lists.flat().length,
    text,
    values,
    async execute(db, ...given) {
      if (lists.length > 0 && given.every(list => list.length === 0)) return []
      const { rows: found } = await db.executeQuery<R>(CompiledQuery.raw(alone, values(given)))
      return found
    },
  }
}
