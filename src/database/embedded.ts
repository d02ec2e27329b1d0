import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findBinaries, reachableBinaries } from './embedded-binaries.ts'
import { createCluster, findCluster, removeUnfinished, superuser } from './embedded-cluster.ts'
import { type Address, connect, type Ownership, takeOwnership } from './embedded-owner.ts'
import { readOrMakePassword, readPassword } from './embedded-password.ts'
import { findPostmaster, inUse, makeWay, stopPostmaster } from './embedded-predecessor.ts'
import { findServerUser } from './embedded-process.ts'
import { type Server, startServer } from './embedded-server.ts'

export interface EmbeddedPostgres {
  /** `postgres://...@127.0.0.1:<port>/thingspace`, with the password; the port differs from start to start. */
  url: string
  /** A fast shutdown; resolves when the server has ended. Safe to call twice. */
  stop(): Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** The cluster, its password and its log are kept here. Made when missing. */
  dataDir: string
  /** Settings of PostgreSQL that override ours. */
  settings?: Record<string, string>
  log?: (line: string) => void
}

const database = 'thingspace'

/**
 * A PostgreSQL 18 of the service's own, for trying it out and for tests; its programs come with the development
 * dependencies. Committed data survives from start to start. It ends with this process, in whatever way that ends. Only
 * one service at a time can use a data directory: a second one is refused. Every error says what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir)
  try {
    return await start(dataDir, options.settings, options.log ?? (() => {}))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(
      `The embedded PostgreSQL in ${dataDir} did not start. ${reason} Or set DATABASE_URL to use a PostgreSQL of your own.`,
      { cause },
    )
  }
}

async function start(
  dataDir: string,
  settings: Record<string, string> | undefined,
  log: (line: string) => void,
): Promise<EmbeddedPostgres> {
  // The account that root runs the server as must be able to pass through, but not to read.
  await mkdir(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
  const existing = await findCluster(dataDir)
  const user = await findServerUser(existing ?? '')
  const binaries = await reachableBinaries(await findBinaries(), user)
  const password = existing ? await readPassword(dataDir) : await readOrMakePassword(dataDir)
  const cluster = existing ?? (await createCluster(dataDir, password, binaries, user, log))

  const startOnce = async () => {
    await makeWay(cluster, password, binaries, user, log)
    return startServer(binaries.postgres, cluster, join(dataDir, 'postgres.log'), password, user, settings)
  }
  const server = await startOnce().catch(async error => {
    // Another start on the same data directory was faster: a second look tells whose it is.
    if (!String(error).includes('postmaster.pid') && !(await findPostmaster(cluster))) throw error
    await sleep(500)
    return startOnce()
  })

  let ownership: Ownership | undefined
  try {
    const address = { port: server.port, password }
    ownership = await takeOwnership(address)
    if (!ownership) throw inUse(undefined)
    await createDatabase(address)
    await removeUnfinished(dataDir)
  } catch (error) {
    await ownership?.release()
    await server.stop()
    throw error
  }

  let stopped: Promise<void> | undefined
  server.ended.then(() => {
    if (!stopped) log(`The embedded PostgreSQL has ended unexpectedly; see ${join(dataDir, 'postgres.log')}.`)
  })
  const stop = async (held: Ownership, running: Server) => {
    await held.release()
    await running.stop()
    // The guard may have been killed alone.
    if (await findPostmaster(cluster)) await stopPostmaster(cluster, binaries, user)
  }
  return {
    url: `postgres://${superuser}:${password}@127.0.0.1:${server.port}/${database}`,
    stop: () => (stopped ??= stop(ownership, server)),
  }
}

async function createDatabase(address: Address): Promise<void> {
  const client = await connect(address, 'postgres')
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    // Only the owner of the server gets here, so nobody else creates it in between.
    if (!rowCount) await client.query(`create database ${database}`)
  } finally {
    await client.end()
  }
}
