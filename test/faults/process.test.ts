import { Migrator } from 'kysely/migration'
import pg from 'pg'
import t, { type Test } from 'tap'
import { migrationFiles, pendingMigrations } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { connection } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import type { ServerProcess } from '../fixtures/server-process.ts'
import { checkLedger } from './check-ledger.ts'
import { pause, type Sent, startLoad, untilTaken } from './load.ts'
import { isAlive, startInEarnest } from './stage.ts'

const workers = 12
const jumping = { NODE_OPTIONS: `--import=${import.meta.dirname}/jump-clock.ts` }

t.test('processes that die, stop, leave and come back under load', async parent => {
  const { databaseUrl, sql } = await stage(parent)
  const ledger: Sent[] = []
  const servers: ServerProcess[] = []
  const urls = () => servers.map(({ url }) => url)
  const load = () => startLoad({ urls, workers, ledger })

  await parent.test('replicas that start and migrate at once, and a step that locks tables, lose nothing', async t => {
    const running = load()
    servers.push(
      ...(await Promise.all([startInEarnest(parent, databaseUrl, jumping), startInEarnest(parent, databaseUrl)])),
    )
    await running.reaches(60)
    await sql('begin; lock table callbacks, changes in access exclusive mode; select pg_sleep(1); commit')
    await running.reaches(120)
    await running.stop()
    t.match(await checkLedger(sql, servers, ledger), { lost: 0, doubled: 0 })
  })

  await parent.test('a replica that migrates under load loses nothing, and neither do those that serve', async t => {
    const db = openDatabase(connection(databaseUrl, { statementTimeoutMs: 30_000, lockTimeoutMs: 30_000 }))
    t.teardown(() => db.destroy())
    const running = load()
    await running.reaches(60)
    // Back to a version ago. Beside writers PostgreSQL may choose it as the victim of a deadlock.
    const migrator = new Migrator({ db, provider: migrationFiles })
    while ((await migrator.migrateDown()).error !== undefined) await pause(20)
    t.strictSame((await pendingMigrations(db)).length, 1)
    const next = await startInEarnest(t, databaseUrl)
    t.strictSame(await pendingMigrations(db), [])
    servers.push(next)
    await running.reaches(120)
    servers.pop()
    await running.stop()
    t.equal(await next.end('SIGTERM'), 0)
    t.match(await checkLedger(sql, servers, ledger), { lost: 0, doubled: 0 })
  })

  await parent.test('clocks that jump a day ahead and back lose nothing and stop nothing', async t => {
    const [server] = servers as [ServerProcess]
    const running = load()
    for (const count of [60, 120, 180]) {
      await running.reaches(count)
      server.child.kill('SIGUSR2')
    }
    await running.reaches(240)
    await running.stop()
    t.ok(isAlive(server))
    t.equal(server.output.filter(line => line.includes('the clock has jumped')).length, 3)
    t.match(await checkLedger(sql, servers, ledger), { lost: 0, doubled: 0 })
  })

  await parent.test('a process that was stopped and goes on loses nothing, and neither does its neighbour', async t => {
    const [stopped, other] = servers as [ServerProcess, ServerProcess]
    const running = load()
    await running.reaches(60)
    stopped.child.kill('SIGSTOP')
    await untilTaken({ urls: () => [other.url] }, ledger)
    // Past the limits of a statement and of what waits for it: its transactions have been taken from it.
    await pause(1_600)
    stopped.child.kill('SIGCONT')
    await untilTaken({ urls: () => [stopped.url] }, ledger)
    await running.stop()
    t.ok(servers.every(isAlive), 'both are the same processes')
    t.match(await checkLedger(sql, servers, ledger), { lost: 0, doubled: 0 })
  })

  await parent.test('SIGTERM finishes what is under way, loses nothing and exits 0', async t => {
    const running = load()
    await running.reaches(60)
    const [leaving] = servers.splice(0, 1) as [ServerProcess]
    t.equal(await leaving.end('SIGTERM'), 0)
    await running.reaches(120)
    await running.stop()
    t.match(await checkLedger(sql, servers, ledger), { lost: 0, doubled: 0 })
  })

  await parent.test('of two replicas one dies, and the other one goes on with all of it', async t => {
    servers.push(await startInEarnest(parent, databaseUrl))
    const running = load()
    await running.reaches(60)
    const [dying] = servers.splice(0, 1) as [ServerProcess]
    t.equal(await dying.end('SIGKILL'), 'SIGKILL')
    await running.reaches(120)
    await running.stop()
    t.match(await checkLedger(sql, servers, ledger), { lost: 0, doubled: 0 })
  })

  await parent.test('kill -9 of the only process under load loses nothing that was acknowledged', async t => {
    const running = load()
    await running.reaches(60)
    const [killed] = servers.splice(0, 1) as [ServerProcess]
    await killed.end('SIGKILL')
    servers.push(await startInEarnest(t, databaseUrl))
    await running.reaches(120)
    await running.stop()
    const checked = await checkLedger(sql, servers, ledger)
    t.ok(checked.unknown > 0, 'the end of some was not known')
    t.match(checked, { lost: 0, doubled: 0 })
  })
})

async function stage(t: Test) {
  const databaseUrl = await createTestDatabase(t)
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  pool.on('error', () => undefined)
  t.teardown(() => pool.end())
  return { databaseUrl, sql: async (text: string, values?: unknown[]) => (await pool.query(text, values)).rows }
}
