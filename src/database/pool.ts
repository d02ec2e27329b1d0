import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { clientOf, type HostClient } from './host-client.ts'
import { hostsOf } from './hosts.ts'
import type { MortalClient } from './mortal-client.ts'
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
  /** Given the pool, to see how busy it is. */
  watch?: (pool: WatchedPool) => void
  /** Each statement is planned once a connection, not for every execution. */
  planOnce?: boolean
}

/** What can be seen of a pool: connections that are open, that idle, and requests that wait for one. */
export type WatchedPool = Pick<pg.Pool, 'totalCount' | 'idleCount' | 'waitingCount'>

export type Database = Kysely<Tables>

export function openDatabase(options: DatabaseOptions): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(options) }) })
}

export function openPool(options: DatabaseOptions): pg.Pool {
  const hosts = hostsOf(options.url)
  // PostgreSQL would plan anew for each number of rows; the plan is the same for all of them, since all go by key.
  const plansOnce = options.planOnce === true ? '-c plan_cache_mode=force_generic_plan ' : ''
  const pool = new pg.Pool({
    connectionString: hosts.current(),
    application_name: options.name,
    max: options.connections,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: options.connectionTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    // A transaction whose link went dead keeps its locks, that of the feed among them, for so long: all wait for it.
    idle_in_transaction_session_timeout: 2_000,
    // The server's own limit comes first; this one is for a link that no longer carries the server's answer.
    query_timeout: options.statementTimeoutMs + 500,
    // Queries of a plain connection need not wait for each other's answer. (Within a transaction Kysely sends them one
    // after another all the same.)
    pipeline: true,
    // Every statement here finds its rows by key. Without statistics yet, or with old ones, the planner would sometimes
    // rather read whole tables: costs must not depend on how much is stored.
    // And a commit means a commit, whatever the database or the role says; each statement sees what was committed before
    // it, which the locks here are for; and times come in the form that the driver reads.
    options: `-c synchronous_commit=on ${readCommitted} -c datestyle=iso -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off ${plansOnce}${endsDeadSessions}`,
    Client: clientOf(hosts),
    ...(hosts.mustWrite ? ofSeveralHosts : {}),
  })
  // pg-pool takes its own listener off a client that is checked out: a backend that dies while its transaction idles
  // would end this process (node-postgres #2439). So every client has a listener of its own.
  pool.on('connect', client => client.on('error', options.onConnectionError))
  pool.on('error', options.onConnectionError)
  options.watch?.(pool)
  const cutIdle = endTogether(pool)
  if (hosts.mustWrite) hosts.whenLeft(cutIdle)
  return pool
}

/** libpq's way to write a space. */
const readCommitted = String.raw`-c default_transaction_isolation=read\ committed`

/**
 * A session whose client is gone without a word is ended by the server too, within half a minute: it would count against
 * max_connections for hours.
 */
export const endsDeadSessions = [
  'tcp_keepalives_idle=10',
  'tcp_keepalives_interval=5',
  'tcp_keepalives_count=3',
  'idle_session_timeout=600000',
]
  .map(setting => `-c ${setting}`)
  .join(' ')

const ofSeveralHosts = {
  onConnect: (client: pg.ClientBase) => (client as HostClient).checkWritable(),
  // One that was in use when its host was left stays no longer than this.
  maxLifetimeSeconds: 60,
}

/**
 * When the link of one client went dead, those that idle are not trusted either: each would cost one more time-out. An
 * idle client whose link is cut is dropped by the pool.
 */
function endTogether(pool: pg.Pool): () => void {
  const idle = new Set<MortalClient>()
  const cutIdle = () => {
    for (const client of idle) client.cut()
    idle.clear()
  }
  pool.on('connect', client => (client as unknown as MortalClient).whenSilent(cutIdle))
  pool.on('acquire', client => idle.delete(client as unknown as MortalClient))
  pool.on('release', (_error, client) => idle.add(client as unknown as MortalClient))
  pool.on('remove', client => idle.delete(client as unknown as MortalClient))
  return cutIdle
}
