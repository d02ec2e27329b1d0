import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Binaries } from '../../src/database/embedded-binaries.ts'
import { superuser } from '../../src/database/embedded-cluster.ts'
import { findServerUser, runAs } from '../../src/database/embedded-process.ts'
import { checkLedger } from '../faults/check-ledger.ts'
import { pause, startLoad, untilTaken } from '../faults/load.ts'
import { type OwnPostgres, password, startOwnPostgres } from '../faults/own-postgres.ts'
import { isAlive } from '../faults/stage.ts'
import { type Context, highest, makePlace, type Place, type Scenario, times } from './scenario.ts'

const run = promisify(execFile)

/** Needs the programs of an installed PostgreSQL, since the embedded one has no pg_basebackup. */
export const promoted: Scenario = {
  key: 'promoted',
  fault: 'primary killed under load, its synchronous standby promoted',
  target: '0 acknowledged lost, 0 doubled, same process',
  async run(context) {
    const bin = await installedPrograms()
    if (bin === null) return { measured: 'not run: no installed PostgreSQL with pg_basebackup', reached: false }
    const binaries = { initdb: `${bin}/initdb`, pg_ctl: `${bin}/pg_ctl`, postgres: `${bin}/postgres` }
    const rounds = times(context, 3)
    const recoveries: number[] = []
    const counts = { sent: 0, unknown: 0, lost: 0, doubled: 0 }
    for (let round = 0; round < rounds; round += 1) {
      const settings = { wal_level: 'replica', hot_standby: 'on' }
      const primary = await makeCluster(context, binaries.initdb)
      const { postgres, link, sql, start } = await makePlace(context, { binaries, settings, ...primary })
      const standby = await followWith(context, bin, binaries, postgres.url())
      await sql("alter system set synchronous_standby_names = '*'")
      await sql('select pg_reload_conf()')
      await untilSynchronous(sql)
      const server = await start()
      const urls = () => [server.url]
      const load = startLoad({ urls, workers: 32 })
      await load.reaches(times(context, 2_000, 200))
      await postgres.stop('immediate')
      await standby.sql('select pg_promote(true, 30)')
      link.leadTo(standby.url())
      recoveries.push(await untilTaken({ urls }, load.ledger))
      await load.reaches(load.acknowledged() + times(context, 1_000, 100))
      await load.stop()
      const checked = await checkLedger(standby.sql, [server], load.ledger)
      if (!isAlive(server)) throw new Error('the service has ended')
      for (const key of ['sent', 'unknown', 'lost', 'doubled'] as const) counts[key] += checked[key]
      await server.end('SIGTERM')
    }
    return {
      measured:
        `${rounds} promotions, ${counts.sent} callbacks, ${counts.unknown} of unknown end; ${counts.lost} acknowledged ` +
        `lost, ${counts.doubled} doubled; taken again ${Math.round(highest(recoveries))} ms after the promotion at most`,
      reached: true,
    }
  },
}

async function makeCluster(context: Context, initdb: string): Promise<{ folder: string; cluster: string }> {
  const { folder, user } = await makeFolder(context)
  const cluster = path.join(folder, 'primary')
  const passwordFile = path.join(folder, 'password')
  await writeFile(passwordFile, password, { mode: 0o644 })
  const named = [`--username=${superuser}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256']
  const { ok, output } = await runAs(user, initdb, ['-D', cluster, ...named, '--encoding=UTF8', '--locale=C'])
  if (!ok) throw new Error(`initdb: ${output}`)
  return { folder, cluster }
}

async function followWith(context: Context, bin: string, binaries: Binaries, primary: string): Promise<OwnPostgres> {
  const { folder, user } = await makeFolder(context)
  const cluster = path.join(folder, 'standby')
  const { ok, output } = await runAs(user, `${bin}/pg_basebackup`, ['-D', cluster, '-d', primary, '-R', '-X', 'stream'])
  if (!ok) throw new Error(`pg_basebackup: ${output}`)
  const settings = { synchronous_standby_names: '', hot_standby: 'on' }
  return startOwnPostgres(context, { binaries, folder, cluster, settings })
}

async function untilSynchronous(sql: Place['sql']): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const [row] = await sql("select count(*)::int as count from pg_stat_replication where sync_state = 'sync'")
    if (row?.count === 1) return
    if (tries === 100) throw new Error('the standby is not synchronous')
    await pause(100)
  }
}

/** Of the account that the server runs as. */
async function makeFolder(context: Context) {
  const folder = await mkdtemp(path.join(tmpdir(), 'promotion-'))
  context.teardown(() => rm(folder, { recursive: true, force: true }))
  const user = await findServerUser('')
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  return { folder, user }
}

async function installedPrograms(): Promise<string | null> {
  const { stdout } = await run('pg_config', ['--bindir']).catch(() => ({ stdout: '' }))
  const versions = [18, 17, 16, 15].map(version => `/usr/lib/postgresql/${version}/bin`)
  for (const bin of [stdout.trim(), ...versions]) {
    if (bin !== '' && existsSync(`${bin}/pg_basebackup`) && (await stat(bin)).isDirectory()) return bin
  }
  return null
}
