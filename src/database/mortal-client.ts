import type { Socket } from 'node:net'
import pg from 'pg'
import { costsConnection, endedByServer, isCutOff, isLinkSilent, isStalePlan } from './refusal.ts'
import { type BatchedAnswer, type BatchedStatement, StatementBatch } from './statement-batch.ts'
import { statementName } from './statement-name.ts'

type Query = pg.Client['query']
type QueryArguments = Parameters<Query>

/**
 * A client that ends after an error that leaves its connection useless: a time-out of the link, a server that became
 * read-only, shuts down or has no resources left, a plan that no longer fits. Otherwise the connection would be given
 * back as healthy, and every later query on it would fail too (node-postgres #3399).
 *
 * Its rollback never fails: a connection that ends takes its transaction with it, and a failing rollback would hide the
 * error that caused it.
 */
export class MortalClient extends pg.Client {
  #onSilence = () => {}
  /** Why the server ended it, when it said so. */
  #end: string | null = null
  #corked = false

  constructor(config?: pg.ClientConfig) {
    super(config)
    this.on('notice', ({ code }) => {
      if (code !== undefined && endedByServer.has(code)) this.#end = code
    })
  }

  override query: Query = ((...args: QueryArguments) => {
    this.#cork()
    const answer = super.query(...prepared(args)) as unknown
    if (!(answer instanceof Promise)) return answer
    const isRollback = (args as unknown[])[0] === 'rollback'
    return answer.catch(error => {
      this.#judge(error)
      if (isStalePlan(error)) this.#die()
      if (!isRollback) throw error
      this.#die()
      return { command: 'ROLLBACK', rowCount: null, rows: [] }
    })
  }) as Query

  /** All of the answers or none: statements of one transaction, which the first failure ends. */
  batch(statements: readonly BatchedStatement[]): Promise<BatchedAnswer[]> {
    return new Promise((resolve, reject) => {
      const told = (error: Error | null, answers: BatchedAnswer[]) => {
        if (error === null) return resolve(answers)
        if (this.#end !== null && isCutOff(error)) Object.assign(error, { code: this.#end })
        this.#judge(error)
        reject(error)
      }
      super.query(new StatementBatch(statements, told))
    })
  }

  #judge(error: unknown): void {
    if (costsConnection(error)) this.#die()
    if (isLinkSilent(error)) this.#onSilence()
  }

  /** Called when a query was never answered: whatever else uses the same link is likely to be dead too. */
  whenSilent(told: () => void): void {
    this.#onSilence = told
  }

  /** Breaks the link off, as if it had been lost. */
  cut(): void {
    this.#stream().destroy()
  }

  /** Statements that are sent together leave in one write. */
  #cork(): void {
    if (this.#corked) return
    const stream = this.#stream()
    this.#corked = true
    stream.cork()
    process.nextTick(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  #stream(): Socket {
    return (this as unknown as { connection: { stream: Socket } }).connection.stream
  }

  #die(): void {
    // Marked as ending at once, so that the pool does not hand it to the next caller.
    void this.end().catch(() => undefined)
    this.cut()
  }
}

/** A statement with parameters gets a name, so that each connection parses it once. */
function prepared(args: QueryArguments): QueryArguments {
  const [text, values, ...callback] = args as unknown as [unknown, unknown, ...unknown[]]
  if (typeof text !== 'string' || !Array.isArray(values) || values.length === 0) return args
  const name = statementName(text)
  if (name === '') return args
  return [{ name, text, values }, ...callback] as unknown as QueryArguments
}
