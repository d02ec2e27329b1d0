import t from 'tap'
import { hostsOf, splitHosts } from '../../src/database/hosts.ts'
import { migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { request, type Sent, untilTaken } from '../faults/load.ts'
import { type OwnPostgres, startOwnPostgres } from '../faults/own-postgres.ts'
import { isAlive, startInEarnest } from '../faults/stage.ts'
import { connection } from '../fixtures/connection.ts'

t.test('a URL names one host or several', async t => {
  t.strictSame(splitHosts('postgres://u:p@one/db'), ['postgres://u:p@one/db'])
  t.strictSame(splitHosts('postgres://u:p%2C@one:1,[::1]:2,two/db?target_session_attrs=read-write&sslmode=disable'), [
    'postgres://u:p%2C@one:1/db?sslmode=disable',
    'postgres://u:p%2C@[::1]:2/db?sslmode=disable',
    'postgres://u:p%2C@two/db?sslmode=disable',
  ])
  t.strictSame(splitHosts('postgres://one,two'), ['postgres://one', 'postgres://two'])
  const hosts = hostsOf('postgres://one,two/db')
  hosts.leave('postgres://one/db')
  hosts.leave('postgres://one/db')
  t.equal(hosts.current(), 'postgres://two/db', 'those that fail at once move it once')
  t.equal(hostsOf('postgres://one,two/db'), hosts, 'what one connection found out, all know')
  t.equal(hosts.mustWrite, true)
  t.equal(hostsOf('postgres://one,two/db?target_session_attrs=any').mustWrite, false)
})

t.test('of several servers the one is used that takes writes, also when that changes', async t => {
  const [first, second] = [await startOwnPostgres(t), await startOwnPostgres(t)]
  const db = openDatabase(connection(second.url(), { connections: 1 }))
  await migrate(db).finally(() => db.destroy())
  await readOnly(second, 'on')
  const [one, other] = [new URL(first.url()), new URL(second.url())]
  const unreachable = '127.0.0.1:1'
  const hosts = [unreachable, other.host, one.host].join(',')
  const server = await startInEarnest(t, first.url().replace(one.host, hosts))
  const urls = () => [server.url]
  const ledger: Sent[] = []
  await untilTaken({ urls }, ledger)
  t.equal(await stored(first), 1, 'at the one that takes writes')

  await readOnly(first, 'on')
  await readOnly(second, 'off')
  // A backend may read the new settings a moment later.
  for (let tries = 1; (await stored(second)) === 0 && tries <= 20; tries += 1) await untilTaken({ urls }, ledger)
  t.equal(await stored(second), 1, 'and then at the other')
  for (let tries = 1; (await request('GET', `${server.url}/health/ready`))?.status !== 200 && tries < 600; tries += 1) {
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  t.match(await request('GET', `${server.url}/health/ready`), { status: 200 })
  t.ok(isAlive(server), 'the same process')
})

async function readOnly(postgres: OwnPostgres, value: 'on' | 'off'): Promise<void> {
  await postgres.sql(`alter system set default_transaction_read_only = ${value}`)
  await postgres.sql('select pg_reload_conf()')
}

async function stored(postgres: OwnPostgres): Promise<number> {
  const [row] = await postgres.sql('select count(*)::int as count from callbacks')
  return row?.count
}
