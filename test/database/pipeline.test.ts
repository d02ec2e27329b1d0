import { once } from 'node:events'
import net from 'node:net'
import { sql } from 'kysely'
import t from 'tap'
import { openPipelinedDatabase } from '../../src/database/pipeline.ts'
import { isCutOff, refusalOf, sqlState } from '../../src/database/refusal.ts'
import { together } from '../../src/database/together.ts'
import { connection } from '../fixtures/connection.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

const options = connection(await createEmptyDatabase(t), { statementTimeoutMs: 5_000, lockTimeoutMs: 1_000 })
const db = openPipelinedDatabase(options)
t.teardown(() => db.destroy())

await db.transaction(async trx => ({ written: sql`create table kept (n integer primary key, xact xid8)`.execute(trx) }))

const insert = (n: number) => sql`insert into kept values (${n}, pg_current_xact_id())`
const kept = () =>
  db.transaction(async trx => ({
    written: sql<{ n: number; xact: string }>`select * from kept order by n`.execute(trx),
  }))

t.test('what is sent without waiting is one transaction, committed before the answer', async t => {
  await db.transaction(async trx => {
    await insert(1).execute(trx)
    return { written: together([insert(2).execute(trx), insert(3).execute(trx)]) }
  })
  const { rows } = await kept()
  t.strictSame(
    rows.map(({ n }) => n),
    [1, 2, 3],
  )
  t.equal(new Set(rows.map(({ xact }) => xact)).size, 1)
})

t.test('a connection that could not be made is no transaction that was cut off', async t => {
  for (const answer of [(socket: net.Socket) => socket.destroy(), () => undefined]) {
    const proxy = net.createServer(socket => answer(socket.on('error', () => undefined)))
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    const { port } = proxy.address() as net.AddressInfo
    const behind = openPipelinedDatabase({
      ...options,
      url: `postgres://a:b@127.0.0.1:${port}/c`,
      connectionTimeoutMs: 300,
    })
    const error = await behind.transaction(async () => t.fail('it must not begin') as never).catch(error => error)
    t.match([refusalOf(error), isCutOff(error), sqlState(error)], ['unavailable', false, '08001'])
    await behind.destroy()
    proxy.close()
  }
})

t.test('a fault of ours before the first statement leaves no transaction open', async t => {
  const fault = () => {
    throw new TypeError('ours')
  }
  for (const _ of [1, 2, 3]) await t.rejects(db.transaction(fault), new TypeError('ours'))
  await db.transaction(async trx => ({ written: insert(90).execute(trx) }))
  t.ok(
    (await kept()).rows.some(({ n }) => n === 90),
    'it is committed, and seen by another',
  )
  await db.transaction(async trx => ({ written: sql`delete from kept where n = 90`.execute(trx) }))
})

t.test('a statement that is left without an answer fails its transaction', async t => {
  await t.rejects(
    db.transaction(async trx => ({ written: sql``.execute(trx) })),
    /without an answer/,
  )
})

t.test('the first transaction of a connection is begun before its statements and committed after them', async t => {
  for (let turns = 0; turns < 12; turns += 1) {
    const fresh = openPipelinedDatabase(options)
    const wait = async () => {
      for (let turn = 0; turn < turns; turn += 1) await null
    }
    await fresh.transaction(async trx => {
      const written = insert(1_000 + turns).execute(trx)
      await wait()
      return { written }
    })
    await fresh.destroy()
    const late = openPipelinedDatabase(options)
    await late.transaction(async trx => {
      await wait()
      return { written: insert(2_000 + turns).execute(trx) }
    })
    await late.destroy()
    const { rows } = await kept()
    const stored = rows.map(({ n }) => n).filter(n => n >= 1_000 && n % 1_000 === turns)
    t.strictSame(stored, [1_000 + turns, 2_000 + turns], `${turns} turns`)
  }
  await db.transaction(async trx => ({ written: sql`delete from kept where n >= 1000`.execute(trx) }))
})

t.test('a statement that fails among the last ones takes all of it back, and says why', async t => {
  const refused = db.transaction(async trx => ({
    written: together([insert(10).execute(trx), insert(1).execute(trx), insert(11).execute(trx)]),
  }))
  await t.rejects(refused, { code: '23505' })
  t.notOk((await kept()).rows.some(({ n }) => n >= 10))
})

t.test('an error that the work has swallowed is no commit', async t => {
  const swallowed = db.transaction(async trx => {
    await insert(20).execute(trx)
    await insert(1)
      .execute(trx)
      .catch(() => undefined)
    return { written: Promise.resolve('nothing happened') }
  })
  await t.rejects(swallowed, /rolled back/)
  t.notOk((await kept()).rows.some(({ n }) => n === 20))
})

t.test('a statement that comes after its commit is refused, and never takes effect by itself', async t => {
  let late: Promise<unknown> = Promise.resolve()
  await db.transaction(async trx => {
    setTimeout(() => {
      late = insert(30).execute(trx)
      late.catch(() => undefined)
    }, 50)
    return { written: insert(31).execute(trx) }
  })
  await new Promise(resolve => setTimeout(resolve, 100))
  await t.rejects(late, /came outside of its transaction/)
  t.strictSame(
    (await kept()).rows.map(({ n }) => n).filter(n => n >= 30),
    [31],
  )
})
