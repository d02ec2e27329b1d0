import type { Socket } from 'node:net'
import pg from 'pg'
import { costsConnection, endedByServer, isCutOff, isLinkSilent, isStalePlan } from './refusal.ts'
import { type BatchedAnswer, type BatchedStatement, StatementBatch } from './statement-batch.ts'
import { statementName } from './statement-name.ts'

type Query = pg.Client['query']
type QueryArguments = Parameters<Query>

/**
 * A client that dies with an error after which its connection is good for nothing: a time-out of the link, a server
 * that became read-only, that shuts down, that has no resources left, a plan that no longer fits. Otherwise the
 * connection is given back as healthy, and every later query on it fails too (node-postgres #3399).
 *
 * Its rollback never fails: a connection that ends takes its transaction with it, and a rollback that failed would
 * hide the error which it was for.
 */
export class MortalClient extends pg.Client {
  #onSilence = () => {}
  /** Why the server ends it, when it said so. */
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

  /** All or none of the answers: statements of a transaction, which one that fails brings to its end. */
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

  /** Told when a query was never answered: what else goes over the same link is likely to be dead too. */
  whenSilent(told: () => void): void {
    this.#onSilence = told
  }

  /** Breaks the link off, as if it had been lost. */
  cut(): void {
    this.#stream().destroy()
  }

  /** Statements that are sent in one go leave in one write. */
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
    // Marked as ending at once, so that the pool does not hand it to the next one who waits.
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
