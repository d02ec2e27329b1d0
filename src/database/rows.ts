import { type RawBuilder, sql } from 'kysely'

/**
 * A list of rows as one array parameter per column, for set-based SQL: `from ${rowsOf(rows, 'id uuid, at timestamptz')}`.
 * The columns are named r.*. The statement's text is the same for any number of rows, so it is parsed once; arrays cost
 * PostgreSQL about half of what the same rows cost as one json parameter.
 */
export function rowsOf(rows: readonly object[], columns: string): RawBuilder<unknown> {
  const names = columnsOf(columns)
  const arrays = names.map(({ name, type }) => {
    const values = rows.map(row => parameter((row as Record<string, unknown>)[name]))
    return sql`${values}::${sql.raw(type)}[]`
  })
  return sql`unnest(${sql.join(arrays)}) as r(${sql.join(names.map(({ name }) => sql.ref(name)))})`
}

interface Column {
  name: string
  type: string
}

const known = new Map<string, Column[]>()

/** `id uuid, "requestId" text` to names and types. */
function columnsOf(columns: string): Column[] {
  const parsed = known.get(columns)
  if (parsed !== undefined) return parsed
  const list = columns.split(',').map(column => {
    const [name = '', type = ''] = column.trim().split(/\s+/)
    return { name: name.replaceAll('"', ''), type }
  })
  known.set(columns, list)
  return list
}

function parameter(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) return JSON.stringify(value)
  return value ?? null
}
