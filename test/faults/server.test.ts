import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { MortalClient } from '../../src/database/mortal-client.ts'
import { account } from '../fixtures/account.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { checkLedger } from './check-ledger.ts'
import { startLink } from './link.ts'
import { request, type Sent, startLoad, untilTaken } from './load.ts'
import { mountSmallDisk, startOwnPostgres } from './own-postgres.ts'
import { isAlive, listener, startInEarnest, type Teardown } from './stage.ts'

const workers = 12

t.test('whatever becomes of PostgreSQL, the same process goes on by itself', async parent => {
  const disk = await mountSmallDisk(parent, 192)
  const settings = { max_wal_size: '32MB', min_wal_size: '32MB', wal_keep_size: '0' }
  const postgres = await startOwnPostgres(parent, disk === null ? {} : { folder: disk, settings })
  const link = await startLink(postgres.url())
  parent.teardown(() => link.stop())
  const server = await startInEarnest(parent, link.url)
  const urls = () => [server.url]
  const ledger: Sent[] = []
  const load = () => startLoad({ urls, workers, ledger })
  const ready = () => request('GET', `${server.url}/health/ready`)

  await parent.test('a restart of PostgreSQL as after a crash, under load', async t => {
    const running = load()
    for (const count of [80, 160]) {
      await running.reaches(count)
      await postgres.stop('immediate')
      await postgres.start()
      link.leadTo(postgres.url())
      await untilTaken({ urls }, ledger)
    }
    await running.stop()
    const checked = await checkLedger(postgres.sql, [server], ledger)
    t.match(checked, { lost: 0, doubled: 0 })
  })

  await parent.test('a primary that became read-only is not ready, and its connections are not kept', async t => {
    const running = load()
    const before = await backends()
    await readOnly('on')
    await until(async () => (await ready())?.status === 503)
    t.match(await ready(), { body: { errorMessage: /transaction_read_only = on/ } })
    await until(async () => (await backends()).every(pid => !before.includes(pid)))
    await readOnly('off')
    await untilTaken({ urls }, ledger)
    await running.stop()
    t.match(await ready(), { status: 200 })
  })

  await parent.test('while the database does not commit durably, it is not ready', async t => {
    await postgres.stop('fast')
    await postgres.start({ ...settings, full_page_writes: 'off' })
    link.leadTo(postgres.url())
    await until(async () => /full_page_writes = off/.test((await ready())?.body.errorMessage))
    await postgres.stop('fast')
    await postgres.start(settings)
    link.leadTo(postgres.url())
    await until(async () => (await ready())?.status === 200)
    t.match(await ready(), { status: 200 })
  })

  if (disk !== null) {
    await parent.test('a full disk costs no callback that was acknowledged', async t => {
      const running = load()
      await running.reaches(30)
      const ballast = path.join(disk, 'ballast')
      await writeFile(ballast, Buffer.alloc(192 * 2 ** 20)).catch(() => undefined)
      // First tables can't grow, which costs a transaction; then the log can't, which costs the server.
      const before = ledger.length
      await until(async () => ledger.slice(before).some(({ attempts, outcome }) => attempts > 0 && outcome !== 'ok'))
      t.match(await request('GET', `${server.url}/health/live`), { status: 200 })
      const logMore = "select pg_logical_emit_message(true, 'more', repeat('x', 1000000)) from generate_series(1, 100)"
      await postgres.sql(logMore).catch(() => undefined)
      await rm(ballast)
      await postgres.stop('immediate')
      await postgres.start()
      link.leadTo(postgres.url())
      await untilTaken({ urls }, ledger)
      await running.stop()
      t.match(await ready(), { status: 200 })
    })
  }

  await parent.test(
    'a callback that crashes the server each time is found, and kept in a form that does not',
    async t => {
      await postgres.sql(`
      create function stop_here() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$`)
      await postgres.sql(`
      create trigger crash before insert on callbacks for each row
      when (new.body like '%deadly-request%') execute function stop_here()`)
      const running = load()
      const crashing = crashWhoSleeps()
      const deadly = makeCallback({ requestId: 'deadly-request', ...device(900_000), ...listener })
      const post = () => request('POST', `${server.url}/callbacks/${account}/CarrierService`, deadly)
      let answer = await post()
      await until(async () => {
        if (answer?.status !== 200) answer = await post()
        return answer?.status === 200
      })
      const crashes = await crashing.stop()
      await untilTaken({ urls }, ledger)
      await running.stop()
      t.match(answer?.body, { verdict: /^(quarantined|repeated)$/ }, 'the first answer may have come too late')
      t.strictSame(await postgres.sql("select reason from callbacks where verdict = 'quarantined'"), [
        { reason: 'ended the connection to the database each time it was written' },
      ])
      // Twice among others, three times alone.
      t.ok(crashes >= 3 && crashes <= 12, `${crashes} crashes`)
      t.match(await postgres.sql("select count(*)::int from callbacks where body like '%deadly-request%'"), [
        { count: 0 },
      ])
      t.match(await request('POST', `${server.url}/callbacks/${account}/CarrierService`, deadly), {
        status: 200,
        body: { verdict: 'repeated' },
      })
      // The ledger does not know it.
      await postgres.sql("delete from callbacks where verdict = 'quarantined'")
    },
  )

  await parent.test('it is found when nothing else comes, too', async t => {
    const crashing = crashWhoSleeps()
    const deadly = makeCallback({ requestId: 'deadly-request-alone', ...device(900_001), ...listener })
    const post = () => request('POST', `${server.url}/callbacks/${account}/CarrierService`, deadly)
    let answer = await post()
    await until(async () => {
      if (answer?.status !== 200) answer = await post()
      return answer?.status === 200
    })
    t.match(answer?.body, { verdict: 'quarantined' })
    t.match(await post(), { status: 200, body: { verdict: 'repeated' } })
    const crashes = await crashing.stop()
    t.ok(crashes >= 5 && crashes <= 12, `${crashes} crashes`)
    await postgres.sql("delete from callbacks where verdict = 'quarantined'")
  })

  await parent.test('who loses the connection by the crash of another one is told so', async t => {
    const [crashing, other] = await Promise.all([open(t), open(t)])
    const [{ pid }] = (await crashing.query('select pg_backend_pid() as pid')).rows
    const asleep = [{ text: 'select pg_sleep(60)', values: [] }]
    const ends = Promise.allSettled([crashing.batch(asleep), other.batch(asleep)])
    await until(
      async () => (await postgres.sql("select from pg_stat_activity where wait_event = 'PgSleep'")).length === 2,
    )
    process.kill(pid, 'SIGKILL')
    const codes = (await ends).map(end => (end.status === 'rejected' ? end.reason.code : 'none'))
    t.strictSame(codes, [undefined, '57P02'])
    await untilTaken({ urls }, ledger)
  })

  await parent.test('so is who loses it because the server stops at once', async t => {
    const client = await open(t)
    const end = client.batch([{ text: 'select pg_sleep(60)', values: [] }]).catch(error => error)
    await until(
      async () => (await postgres.sql("select from pg_stat_activity where wait_event = 'PgSleep'")).length === 1,
    )
    await postgres.stop('immediate')
    t.match(await end, { code: '57P01' })
    await postgres.start()
    link.leadTo(postgres.url())
    await untilTaken({ urls }, ledger)
  })

  t.ok(isAlive(server), 'the same process')
  t.match(await checkLedger(postgres.sql, [server], ledger), { lost: 0, doubled: 0 })

  async function open(t: Teardown): Promise<MortalClient> {
    const client = new MortalClient({ connectionString: postgres.url(), pipeline: true })
    client.on('error', () => undefined)
    await client.connect()
    t.teardown(() => client.end().catch(() => undefined))
    return client
  }

  /** Kills the server's process of a connection that sleeps: for all others that is a crash. */
  function crashWhoSleeps(): { stop(): Promise<number> } {
    let crashes = 0
    let stopped = false
    const asleep = "select pid from pg_stat_activity where wait_event = 'PgSleep'"
    const work = async () => {
      while (!stopped) {
        const [first] = await postgres.sql(asleep).catch(() => [])
        if (first !== undefined && endedBySignal(first.pid)) crashes += 1
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    }
    const working = work()
    return {
      async stop() {
        stopped = true
        await working
        return crashes
      },
    }
  }

  async function readOnly(value: 'on' | 'off'): Promise<void> {
    await postgres.sql(`alter system set default_transaction_read_only = ${value}`)
    await postgres.sql('select pg_reload_conf()')
  }

  async function backends(): Promise<number[]> {
    const rows = await postgres.sql(
      "select pid from pg_stat_activity where application_name in ('thingspace receiving', 'thingspace asking')",
    )
    return rows.map(({ pid }) => pid)
  }
})

/** False: it has gone by itself meanwhile. */
function endedBySignal(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 1; !(await holds()); tries += 1) {
    if (tries === 1_200) throw new Error('it never came to that')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
