import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  sql,
} from 'kysely'
import type pg from 'pg'
import type { MortalClient } from './mortal-client.ts'
import { type DatabaseOptions, openPool } from './pool.ts'
import type { BatchedAnswer, BatchedStatement, Value } from './statement-batch.ts'
import type { Tables } from './tables.ts'
import { together } from './together.ts'

/** What the last statements of a transaction will come to: they have been sent, and are not waited for. */
export interface Written<T> {
  written: Promise<T>
}

export interface PipelinedDatabase {
  /**
   * One transaction, in as few round trips as its work has steps: a statement is sent without waiting for those before
   * it, and the commit goes out right behind the last ones. Resolves once that is committed; otherwise nothing of it
   * took effect, unless the link broke during the commit.
   */
  transaction<T>(work: (db: Kysely<Tables>) => Promise<Written<T>>): Promise<T>
  destroy(): Promise<void>
}

/** Kysely's own transactions wait for the answer to each statement before they send the next one. */
export function openPipelinedDatabase(options: DatabaseOptions): PipelinedDatabase {
  const pool = openPool({ ...options, planOnce: true })
  return {
    transaction: work => runTransaction(pool, work),
    destroy: () => pool.end(),
  }
}

async function runTransaction<T>(pool: pg.Pool, work: (db: Kysely<Tables>) => Promise<Written<T>>): Promise<T> {
  const client = await pool.connect().catch(notConnected)
  const db = await onClient(client)
  let broken: Error | undefined
  try {
    const begun = begin.execute(db)
    const working = Promise.try(work, db).then(({ written }) => together([written, commit.execute(db)]))
    const [, [result]] = await together([begun, working])
    return result
  } catch (error) {
    broken = await rollback.execute(db).then(
      () => undefined,
      (failure: Error) => failure,
    )
    throw error
  } finally {
    client.release(broken)
  }
}

/** A connection that could not be made interrupted no work: it must not look as if the server had crashed over it. */
function notConnected(cause: unknown): never {
  throw Object.assign(new Error('no connection to the database', { cause }), { code: '08001' })
}

const begin = sql`begin`
const commit = sql`commit`
const rollback = sql`rollback`
const known = new WeakMap<pg.PoolClient, Kysely<Tables>>()

/**
 * Kysely on one client, which sends each statement at once, in the order of execution. That order only holds once its
 * driver is initialised: the first statement waits for that, and one that comes a moment later would overtake it.
 */
async function onClient(client: pg.PoolClient): Promise<Kysely<Tables>> {
  const ready = known.get(client)
  if (ready !== undefined) return ready
  const db = new Kysely<Tables>({ dialect: clientDialect(client) })
  await db.connection().execute(async () => undefined)
  known.set(client, db)
  return db
}

function clientDialect(client: pg.PoolClient): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => clientDriver(client),
    createIntrospector: db => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  }
}

function clientDriver(client: pg.PoolClient): Driver {
  const execute = sentTogether(client as unknown as MortalClient)
  let inTransaction = false
  const connection: DatabaseConnection = {
    async executeQuery<R>({ sql: text, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      // A statement that was started too late, behind its commit: it would take effect by itself, at once.
      if (!inTransaction && text !== 'begin' && text !== 'rollback')
        throw new TypeError('a statement came outside of its transaction')
      inTransaction = text !== 'commit' && text !== 'rollback'
      // A rollback goes alone: the client makes sure that it never fails.
      const { rows, command } = await (text === 'rollback'
        ? client.query(text)
        : execute({ text, values: parameters as Value[] }))
      // A failed transaction answers its commit with this instead of an error.
      if (text === 'commit' && command === 'ROLLBACK') throw new Error('rolled back instead of committed')
      return { rows: rows as R[] }
    },
    streamQuery: notHere,
  }
  return {
    init: async () => undefined,
    acquireConnection: async () => connection,
    releaseConnection: async () => undefined,
    destroy: async () => undefined,
    beginTransaction: notHere,
    commitTransaction: notHere,
    rollbackTransaction: notHere,
  }
}

/** Whatever is executed in one turn of the event loop goes out in one batch, in that order. */
function sentTogether(client: MortalClient): (statement: BatchedStatement) => Promise<BatchedAnswer> {
  let waiting: { statement: BatchedStatement; resolve(answer: BatchedAnswer): void; reject(error: unknown): void }[] =
    []

  function send(): void {
    const sent = waiting
    waiting = []
    client.batch(sent.map(({ statement }) => statement)).then(
      answers => {
        for (const [at, { resolve, reject }] of sent.entries()) {
          const answer = answers[at]
          if (answer === undefined) reject(new Error('a statement was left without an answer'))
          else resolve(answer)
        }
      },
      error => {
        for (const { reject } of sent) reject(error)
      },
    )
  }

  return statement =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) process.nextTick(send)
      waiting.push({ statement, resolve, reject })
    })
}

function notHere(): never {
  throw new Error('a pipelined transaction has neither transactions nor streams of its own')
}
