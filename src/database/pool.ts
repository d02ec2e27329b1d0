import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { clientOf, type HostClient } from './host-client.ts'
import { hostsOf } from './hosts.ts'
import type { MortalClient } from './mortal-client.ts'
import { type SessionLimits, sessionSettings } from './session-settings.ts'
import type { Tables } from './tables.ts'
import { together } from './together.ts'

export interface DatabaseOptions extends SessionLimits {
  url: string
  /** What this pool is for, as PostgreSQL shows it in pg_stat_activity. */
  name: string
  connections: number
  /** How long a caller may wait for a connection. */
  connectionTimeoutMs: number
  /** Called for connections that die while idle; each is dropped, and replaced on demand. */
  onConnectionError: (error: Error) => void
  /** Given the pool, to see how busy it is. */
  watch?: (pool: WatchedPool) => void
}

/** What can be observed of a pool: open connections, idle ones, and requests that wait for one. */
export type WatchedPool = Pick<pg.Pool, 'totalCount' | 'idleCount' | 'waitingCount'>

export type Database = Kysely<Tables>

export function openDatabase(options: DatabaseOptions): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(options) }) })
}

export function openPool(options: DatabaseOptions): pg.Pool {
  const hosts = hostsOf(options.url)
  const settings = sessionSettings(options)
  const pool = new pg.Pool({
    connectionString: hosts.current(),
    application_name: options.name,
    max: options.connections,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: options.connectionTimeoutMs,
    // The server's own limit strikes first; this one is for a link that no longer carries the server's answer.
    query_timeout: options.statementTimeoutMs + 500,
    // Queries on a plain connection need not wait for each other's answers. (Within a transaction Kysely sends them one
    // after the other all the same.)
    pipeline: true,
    Client: clientOf(hosts),
    onConnect: (client: pg.ClientBase) => together([client.query(settings), (client as HostClient).checkWritable()]),
    // A connection that was in use when its host was abandoned stays no longer than this.
    ...(hosts.mustWrite ? { maxLifetimeSeconds: 60 } : {}),
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
