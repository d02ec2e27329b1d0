import pg from 'pg'
import { statementName } from './statement-name.ts'

export interface BatchedStatement {
  text: string
  values: readonly Value[]
}

/** Lists of rows are turned into text by the caller; nothing else is needed here. */
export type Value = string | number | boolean | null

export interface BatchedAnswer {
  /** What the server did, in its words: the COMMIT of a failed transaction is a `ROLLBACK`. */
  command: string
  rows: Row[]
}

type Row = Record<string, unknown>

/**
 * Statements that are sent together and answered together, with a single Sync behind the last one. node-postgres puts
 * one behind each, and at each one the server writes to its socket and wakes this process. After a failed statement the
 * server skips the others. The columns that a statement returns are described once per connection, not at every
 * execution.
 */
export class StatementBatch extends pg.Query {
  readonly #statements: readonly BatchedStatement[]
  readonly #answers: BatchedAnswer[] = []
  #prepared: Prepared = new Map()
  /** The columns of each statement, as known when it was sent: an earlier failure may make us forget them. */
  readonly #known: (Column[] | undefined)[] = []
  #columns: Column[] | null = null
  #rows: Row[] = []
  #unreadable: Error | null = null
  /** node-postgres wraps this in a function of its own, to end its time-out. */
  callback: (error: Error | null, answers: BatchedAnswer[]) => void

  constructor(
    statements: readonly BatchedStatement[],
    callback: (error: Error | null, answers: BatchedAnswer[]) => void,
  ) {
    // Read by tracing; what is actually sent follows below, statement by statement.
    super({ text: statements.map(({ text }) => text).join(';\n') })
    this.#statements = statements
    this.callback = callback
    this.submit = connection => this.#submit(connection as unknown as Wire)
  }

  #submit(wire: Wire): null {
    this.#prepared = preparedOn(wire)
    wire.stream.cork()
    for (const statement of this.#statements) this.#send(wire, statement)
    wire.sync()
    wire.stream.uncork()
    return null
  }

  #send(wire: Wire, { text, values }: BatchedStatement): void {
    const name = statementName(text)
    const isPrepared = this.#prepared.has(text)
    this.#known.push(this.#prepared.get(text))
    if (!isPrepared) {
      // It may exist anyway, from a batch that failed.
      if (name !== '') wire.close({ type: 'S', name })
      wire.parse({ name, text })
    }
    wire.bind({ statement: name, values: values.map(value => (value === null ? null : String(value))) })
    if (!isPrepared) wire.describe({ type: 'P' })
    wire.execute()
  }

  // node-postgres calls what follows, in the order in which the server's answers arrive.

  handleRowDescription({ fields }: { fields: Field[] }): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, read: pg.types.getTypeParser(dataTypeID, 'text') }))
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#columns ??= this.#columnsKnown()
    try {
      this.#rows.push(rowOf(this.#columns, fields))
    } catch (error) {
      this.#unreadable ??= error as Error
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    const statement = this.#current()
    if (statementName(statement) !== '' && !this.#prepared.has(statement))
      this.#prepared.set(statement, this.#columns ?? this.#columnsKnown())
    this.#answers.push({ command: text, rows: this.#rows })
    this.#columns = null
    this.#rows = []
  }

  handleError(error: Error): void {
    // Its plan may be the cause.
    this.#prepared.delete(this.#current())
    this.callback(error, [])
  }

  handleReadyForQuery(): void {
    this.callback(this.#unreadable, this.#answers)
  }

  #columnsKnown(): Column[] {
    return this.#known[this.#answers.length] ?? []
  }

  /** The text of the statement whose answer comes next. */
  #current(): string {
    return this.#statements[this.#answers.length]?.text ?? ''
  }
}

/** What a connection has prepared, by text, with the columns of each statement. */
type Prepared = Map<string, Column[]>

interface Column {
  name: string
  read: (text: string) => unknown
}

const preparedOnWire = new WeakMap<Wire, Prepared>()

function preparedOn(wire: Wire): Prepared {
  const known = preparedOnWire.get(wire) ?? new Map()
  preparedOnWire.set(wire, known)
  return known
}

function rowOf(columns: readonly Column[], fields: readonly (string | null)[]): Row {
  const row: Row = {}
  for (let at = 0; at < columns.length; at += 1) {
    const column = columns[at] as Column
    const text = fields[at]
    row[column.name] = text == null ? null : column.read(text)
  }
  return row
}

/** The connection as node-postgres passes it to a query; its published types lag behind. */
interface Wire {
  stream: { cork(): void; uncork(): void }
  close(statement: { type: 'S'; name: string }): void
  parse(statement: { name: string; text: string }): void
  bind(execution: { statement: string; values: (string | null)[] }): void
  describe(portal: { type: 'P' }): void
  execute(): void
  sync(): void
}

interface Field {
  name: string
  dataTypeID: number
}
