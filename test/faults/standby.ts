import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { pause } from './load.ts'
import { type OwnPostgres, password, startOwnPostgres } from './own-postgres.ts'
import type { Teardown } from './stage.ts'

const run = promisify(execFile)

/** What a primary needs to be followed. */
export const followable = { wal_level: 'replica' }

const follower = 'follower'

/**
 * A synchronous standby of that PostgreSQL. It begins as a copy of the files, for which the primary stops for a moment:
 * the embedded PostgreSQL has no pg_basebackup.
 */
export async function addStandby(t: Teardown, primary: OwnPostgres): Promise<OwnPostgres> {
  const { uid, gid } = await stat(primary.cluster)
  const folder = await mkdtemp(path.join(tmpdir(), 'standby-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o711)
  await chown(folder, uid, gid)
  const cluster = path.join(folder, 'standby')

  await primary.sql(`create role ${follower} login replication password '${password}'`)
  await primary.stop('fast')
  await run('cp', ['-a', primary.cluster, cluster])
  await primary.start()
  const signal = path.join(cluster, 'standby.signal')
  await writeFile(signal, '')
  await chown(signal, uid, gid)

  const { port } = new URL(primary.url())
  const primary_conninfo = `host=127.0.0.1 port=${port} user=${follower} password=${password}`
  const standby = await startOwnPostgres(t, { folder, cluster, settings: { ...followable, primary_conninfo } })
  await primary.sql("alter system set synchronous_standby_names = '*'")
  await primary.sql('select pg_reload_conf()')
  await untilSynchronous(primary)
  return standby
}

/**
 * Kills the primary under load and promotes its standby, which has heard nothing for a moment before: whatever was
 * acknowledged without it is lost.
 */
export async function failOver(primary: OwnPostgres, standby: OwnPostgres): Promise<void> {
  await primary.sql(`alter role ${follower} nologin`)
  await primary.sql('select pg_terminate_backend(pid) from pg_stat_replication')
  await pause(700)
  await primary.stop('immediate')
  // Were the promotion waited for in one statement, what is still to be replayed would wait for that statement.
  await standby.sql('select pg_promote(false)')
  for (let tries = 1; ; tries += 1) {
    const [row] = await standby.sql('select pg_is_in_recovery() as following')
    if (row?.following === false) return
    if (tries === 300) throw new Error('the standby was not promoted')
    await pause(50)
  }
}

async function untilSynchronous({ sql }: OwnPostgres): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const [row] = await sql("select count(*)::int as count from pg_stat_replication where sync_state = 'sync'")
    if (row?.count === 1) return
    if (tries === 100) throw new Error('the standby is not synchronous')
    await pause(100)
  }
}
