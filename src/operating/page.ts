import { type RawBuilder, sql } from 'kysely'
import Type, { type TSchema } from 'typebox'
import type { CursorKey, Cursors, Position } from './cursor.ts'
import { Maybe } from './schemas.ts'

export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  // An identifier may be anything that fits into an index, and its cursor holds it.
  cursor: Type.Optional(Type.String({ maxLength: 8_000, description: '`next` or `prev` of an earlier answer' })),
}

/**
 * The time after which a list begins. Times are assigned before the commit: only the feed is certain to show a slow
 * one.
 */
export const ViewTime = Type.Optional(
  Type.String({
    format: 'date-time',
    description:
      'RFC 3339, exclusive. For a view, not for a copy: a slow commit may be missed; /v1/changes misses none',
  }),
)

/** Named after its items, so that a generated client has one type for all lists of the same. */
export function Page<T extends TSchema & { title?: string }>(item: T) {
  const Cursor = Maybe(Type.String())
  return Type.Object({ items: Type.Array(item), next: Cursor, prev: Cursor }, { title: `${item.title}Page` })
}

export interface PageRequest {
  limit?: number | undefined
  cursor?: string | undefined
}

export interface List<Row> {
  /** What identifies the list: route, filters and accounts. Its cursors work for no other list. */
  listOf: unknown
  /** Columns that order it: unique together, and never changed, so that pages stay in place while rows are written. */
  order: readonly string[]
  descending?: boolean
  keyOf: (row: Row) => CursorKey
  /** Rows that meet the condition, in this order, no more than the limit. */
  find: (condition: RawBuilder<unknown>, order: RawBuilder<unknown>, limit: number, part: Part) => Promise<Row[]>
}

/** Which part of a list is wanted, for lists that are found in several steps. */
export interface Part {
  order: readonly string[]
  ascending: boolean
  /** The key after which it begins; null: at the beginning of the list. */
  behind: CursorKey | null
}

export interface Found<Row> {
  rows: Row[]
  next: string | null
  prev: string | null
}

/** One page of a list, forward or backward from a cursor. Costs the same however far into the list it is. */
export async function findPage<Row>(cursors: Cursors, request: PageRequest, list: List<Row>): Promise<Found<Row>> {
  const limit = request.limit ?? 100
  const from = request.cursor === undefined ? null : cursors.read(request.cursor, list.listOf)
  const backwards = from?.direction === 'before'
  const ascending = (list.descending ?? false) === backwards
  const behind = from === null || from.key.length === 0 ? null : from.key
  const part = { order: list.order, ascending, behind }
  const found = await list.find(beyond(part), orderBy(part), limit + 1, part)
  const more = found.length > limit
  const rows = found.slice(0, limit)
  if (backwards) rows.reverse()

  const write = (direction: Position['direction'], row: Row | undefined) =>
    cursors.write({ direction, key: row === undefined ? [] : list.keyOf(row) }, list.listOf)
  // Where all rows of a page have left the list meanwhile, the way back begins at that end: a cursor without a key.
  const [first, last] = [rows[0], rows.at(-1)]
  const [hasBefore, hasAfter] = backwards ? [more, behind !== null] : [behind !== null, more]
  return {
    rows,
    next: hasAfter ? write('after', last) : null,
    prev: hasBefore ? write('before', first) : null,
  }
}

/** The condition that a row lies after the beginning of the part, in its direction. */
export function beyond({ order, ascending, behind }: Part): RawBuilder<unknown> {
  if (behind === null) return sql`true`
  const columns = sql.join(order.map(column => sql.ref(column)))
  const values = sql.join(behind)
  return ascending ? sql`(${columns}) > (${values})` : sql`(${columns}) < (${values})`
}

export function orderBy({ order, ascending }: Pick<Part, 'order' | 'ascending'>): RawBuilder<unknown> {
  return sql.join(order.map(column => (ascending ? sql`${sql.ref(column)} asc` : sql`${sql.ref(column)} desc`)))
}
