import { type RawBuilder, sql } from 'kysely'

/**
 * A list of rows as one array parameter per column, for set-based SQL: `from ${rowsOf(rows, 'id uuid, at timestamptz')}`.
 * The columns are named r.*; see below for the types `json` and `jsontext`. The statement's text is the same for any number of rows, so it is parsed once; arrays cost
 * PostgreSQL about half of what the same rows cost as one json parameter.
 */
export function rowsOf(rows: readonly object[], columns: string): RawBuilder<unknown> {
  const { list, build } = parsed(columns)
  return build(list.map(({ name, type }) => (type in separated ? jsonList(rows, name) : arrayLiteral(rows, name))))
}

interface Columns {
  list: readonly Column[]
  build: (values: readonly (string | null)[]) => RawBuilder<unknown>
}

interface Column {
  name: string
  type: string
}

const known = new Map<string, Columns>()

/** `id uuid, "requestId" text` to names and types. */
function parsed(columns: string): Columns {
  const before = known.get(columns)
  if (before !== undefined) return before
  const list = columns.split(',').map(column => {
    const [name = '', type = ''] = column.trim().split(/\s+/)
    return { name: name.replaceAll('"', ''), type }
  })
  const names = sql.join(list.map(({ name }) => sql.ref(name)))
  const build = (values: readonly (string | null)[]) => {
    const arrays = list.map(({ type }, at) =>
      type in separated
        ? sql`string_to_array(${values[at]}, ${sql.lit(separator)}, '')${sql.raw(separated[type] ?? '')}`
        : sql`${values[at]}::${sql.raw(type)}[]`,
    )
    return sql`unnest(${sql.join(arrays)}) as r(${names})`
  }
  const fresh = { list, build }
  known.set(columns, fresh)
  return fresh
}

/**
 * JSON holds no control character, so a list of it needs no quoting: cheaper on both sides than an array literal.
 * `json` is a value for a column of that type, `jsontext` JSON that was written already, for a column of type text.
 */
const separator = '\u001f'
const separated: { [type: string]: string } = { json: '::json[]', jsontext: '' }

/** null where there are no rows: an empty text would be one row. */
function jsonList(rows: readonly object[], name: string): string | null {
  if (rows.length === 0) return null
  const texts = rows.map(row => {
    const value = (row as Record<string, unknown>)[name]
    if (value === null || value === undefined) return ''
    return typeof value === 'string' ? value : JSON.stringify(value)
  })
  return texts.join(separator)
}

/** What node-postgres would make of it, in a fraction of the time. */
function arrayLiteral(rows: readonly object[], name: string): string {
  let text = '{'
  for (let at = 0; at < rows.length; at += 1) {
    if (at > 0) text += ','
    text += element((rows[at] as Record<string, unknown>)[name])
  }
  return `${text}}`
}

function element(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value instanceof Date) return `"${value.toISOString()}"`
  if (Buffer.isBuffer(value)) return `"\\\\x${value.toString('hex')}"`
  return quoted(JSON.stringify(value))
}

function quoted(text: string): string {
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`
}
