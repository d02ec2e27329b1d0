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
  /** How long a caller may wait for a connection. */
  connectionTimeoutMs: number
  /** Called for connections that die while idle; each is dropped, and replaced on demand. */
  onConnectionError: (error: Error) => void
  /** Given the pool, to see how busy it is. */
  watch?: (pool: WatchedPool) => void
  /** Each statement is planned once per connection instead of at every execution. */
  planOnce?: boolean
}

/** What can be observed of a pool: open connections, idle ones, and requests that wait for one. */
export type WatchedPool = Pick<pg.Pool, 'totalCount' | 'idleCount' | 'waitingCount'>

export type Database = Kysely<Tables>

export function openDatabase(options: DatabaseOptions): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(options) }) })
}

export function openPool(options: DatabaseOptions): pg.Pool {
  const hosts = hostsOf(options.url)
  // PostgreSQL would plan again for each number of rows, and get the same plan every time, since all go by key.
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
    // A transaction whose link died keeps its locks for this long, perhaps the feed's, for which everybody waits.
    idle_in_transaction_session_timeout: 2_000,
    // The server's own limit strikes first; this one is for a link that no longer carries the server's answer.
    query_timeout: options.statementTimeoutMs + 500,
    // Queries on a plain connection need not wait for each other's answers. (Within a transaction Kysely sends them one
    // after the other all the same.)
    pipeline: true,
    // Every statement here finds its rows by key. With missing or old statistics, the planner would sometimes prefer to
    // read whole tables: the cost must not depend on how much is stored.
    // A commit means a commit, whatever the database or the role is set to; each statement sees what was committed
    // before it, which our locks rely on; and times come in the form that the driver can read.
    options: `-c synchronous_commit=on ${readCommitted} -c datestyle=iso -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_material=off -c enable_bitmapscan=off -c jit=off ${plansOnce}${endsDeadSessions}`,
    Client: clientOf(hosts),
    ...(hosts.mustWrite ? ofSeveralHosts : {}),
  })
  // pg-pool removes its own listener from a client that is checked out, so a backend that dies during an idle
  // transaction would end this process (node-postgres #2439). So every client gets a listener of its own.
  pool.on('connect', client => client.on('error', options.onConnectionError))
  pool.on('error', options.onConnectionError)
  options.watch?.(pool)
  const cutIdle = endTogether(pool)
  if (hosts.mustWrite) hosts.whenLeft(cutIdle)
  return pool
}

/** libpq's way of writing a space. */
const readCommitted = String.raw`-c default_transaction_isolation=read\ committed`

/**
 * A session whose client vanished without a word is also ended by the server, within half a minute: otherwise it would
 * count against max_connections for hours.
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
  // A connection that was in use when its host was abandoned stays no longer than this.
  maxLifetimeSeconds: 60,
}

/**
 * When the link of one client has died, the idle ones are not trusted either: each would cost another time-out. The
 * pool drops an idle client whose link is cut.
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
