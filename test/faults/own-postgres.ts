import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { type Binaries, findBinaries, reachableBinaries } from '../../src/database/embedded-binaries.ts'
import { createCluster, removeDataDirectory, superuser } from '../../src/database/embedded-cluster.ts'
import { findServerUser } from '../../src/database/embedded-process.ts'
import { type Server, startServer } from '../../src/database/embedded-server.ts'
import type { Teardown } from './stage.ts'

/** Of every cluster here. */
export const password = 'password'

/** A PostgreSQL that a test may do to what it likes. */
export interface OwnPostgres {
  /** Of the database `postgres`; the port is another after each start. */
  url(): string
  folder: string
  cluster: string
  sql(text: string, values?: unknown[]): Promise<pg.QueryResultRow[]>
  /** `immediate`: as a crash, without a last checkpoint; the next start recovers. */
  stop(mode: 'fast' | 'immediate'): Promise<void>
  start(settings?: Record<string, string>): Promise<void>
}

export interface OwnPostgresOptions {
  settings?: Record<string, string>
  binaries?: Binaries
  /** Where the cluster is; made when missing. */
  folder?: string
  /** A cluster that is there already. */
  cluster?: string
}

export async function startOwnPostgres(t: Teardown, options: OwnPostgresOptions = {}): Promise<OwnPostgres> {
  const folder = options.folder ?? (await mkdtemp(path.join(tmpdir(), 'fault-')))
  // Run by root, the server is another user's, who must pass through here.
  await chmod(folder, 0o711)
  const user = await findServerUser(options.cluster ?? '')
  const binaries = options.binaries ?? (await reachableBinaries(await findBinaries(), user))
  const cluster = options.cluster ?? (await createCluster(folder, password, binaries, user, () => undefined))
  const log = path.join(folder, 'postgres.log')
  let settings = options.settings
  let server: Server = await startServer(binaries.postgres, cluster, log, password, user, settings)
  let pool = openPool(server.port)

  async function stop(mode: 'fast' | 'immediate'): Promise<void> {
    await pool.end()
    const pid = mode === 'immediate' ? await postmaster(cluster) : null
    if (pid === null) await server.stop()
    else process.kill(pid, 'SIGQUIT')
    await server.ended
  }
  t.teardown(async () => {
    await pool.end().catch(() => undefined)
    await server.stop()
    if (options.folder === undefined) await removeDataDirectory(folder)
  })
  return {
    url: () => urlOf(server.port),
    folder,
    cluster,
    sql: async (text, values) => (await pool.query(text, values)).rows,
    stop,
    async start(next) {
      settings = next ?? settings
      server = await startServer(binaries.postgres, cluster, log, password, user, settings)
      pool = openPool(server.port)
    },
  }
}

function openPool(port: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: urlOf(port), max: 2, query_timeout: 30_000 })
  pool.on('error', () => undefined)
  pool.on('connect', client => client.on('error', () => undefined))
  return pool
}

function urlOf(port: number): string {
  return `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`
}

/** null: it has ended by itself. */
async function postmaster(cluster: string): Promise<number | null> {
  const text = await readFile(path.join(cluster, 'postmaster.pid'), 'utf8').catch(() => null)
  return text === null ? null : Number(text.split('\n')[0])
}

const run = promisify(execFile)

/** A small disk of its own, which only root can make; null for anybody else. */
export async function mountSmallDisk(t: Teardown, megabytes: number): Promise<string | null> {
  if (process.getuid?.() !== 0) return null
  const folder = await mkdtemp(path.join(tmpdir(), 'disk-'))
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]).then(
    () => true,
    () => false,
  )
  if (!mounted) {
    await rm(folder, { recursive: true })
    return null
  }
  t.teardown(async () => {
    await run('umount', ['-l', folder])
    await rm(folder, { recursive: true, force: true })
  })
  await mkdir(path.join(folder, 'data'))
  return path.join(folder, 'data')
}
