import type { Socket } from 'node:net'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Tables } from './tables.ts'

export interface DatabaseOptions {
  url: string
  /** What this pool is for, as PostgreSQL shows it in pg_stat_activity. */
  name: string
  connections: number
  /** Limits in milliseconds, set on every connection: PostgreSQL has none by default, so one locked row could wedge all. */
  statementTimeoutMs: number
  lockTimeoutMs: number
  /** How long one may wait for a connection. */
  connectionTimeoutMs: number
  /** Told of connections that die while they idle; each is dropped and replaced on demand. */
  onConnectionError: (error: Error) => void
}

export type Database = Kysely<Tables>

export function openDatabase(options: DatabaseOptions): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(options) }) })
}

export function openPool(options: DatabaseOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max: options.connections,
    keepAlive: true,
    connectionTimeoutMillis: options.connectionTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    idle_in_transaction_session_timeout: 5_000,
    // The server's own limit comes first; this one is for a link that no longer carries the server's answer.
    query_timeout: options.statementTimeoutMs + 1_000,
    // Queries of a plain connection need not wait for each other's answer. (Within a transaction Kysely sends them one
    // after another all the same.)
    pipeline: true,
    // Every statement here finds its rows by key. Without statistics yet, or with old ones, the planner would sometimes
    // rather read whole tables: costs must not depend on how much is stored.
    options: '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off',
    Client: MortalClient,
  })
  // pg-pool takes its own listener off a client that is checked out: a backend that dies while its transaction idles
  // would end this process (node-postgres #2439). So every client has a listener of its own.
  pool.on('connect', client => client.on('error', options.onConnectionError))
  pool.on('error', options.onConnectionError)
  return pool
}

/**
 * A client that dies with its time-out. Otherwise a connection whose link went dead is given back as healthy, and every
 * later query on it times out too (node-postgres #3399).
 */
class MortalClient extends pg.Client {
  #corked = false

  override query: pg.Client['query'] = ((...args: Parameters<pg.Client['query']>) => {
    this.#cork()
    const answer = super.query(...prepared(args)) as unknown
    if (answer instanceof Promise) answer.catch(error => this.#dieOfTimeout(error))
    return answer
  }) as pg.Client['query']

  #dieOfTimeout(error: unknown): void {
    if (!(error instanceof Error) || error.message !== 'Query read timeout') return
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
}

type QueryArguments = Parameters<pg.Client['query']>

const names = new Map<string, string>()
const mostNames = 300

/** A statement with parameters gets a name, so that each connection parses it once. */
function prepared(args: QueryArguments): QueryArguments {
  const [text, values, ...callback] = args as unknown as [unknown, unknown, ...unknown[]]
  if (typeof text !== 'string' || !Array.isArray(values) || values.length === 0) return args
  const name = names.get(text) ?? (names.size < mostNames ? `s${names.size}` : undefined)
  if (name === undefined) return args
  names.set(text, name)
  return [{ name, text, values }, ...callback] as unknown as QueryArguments
}
