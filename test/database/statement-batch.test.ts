import type { EventEmitter } from 'node:events'
import pg from 'pg'
import t, { type Test } from 'tap'
import { MortalClient } from '../../src/database/mortal-client.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

const url = await createEmptyDatabase(t)

async function open(t: Test) {
  const client = new MortalClient({ connectionString: url, pipeline: true, query_timeout: 5_000 })
  await client.connect()
  t.teardown(() => client.end())
  const told = { parseComplete: 0, rowDescription: 0, readyForQuery: 0 }
  const { connection } = client as unknown as { connection: EventEmitter }
  for (const name of Object.keys(told) as (keyof typeof told)[]) connection.on(name, () => (told[name] += 1))
  const counted = () => {
    const now = { ...told }
    Object.assign(told, { parseComplete: 0, rowDescription: 0, readyForQuery: 0 })
    return now
  }
  return { client, counted }
}

const number = (n: number) => ({ text: 'select $1::int as n, null as nothing', values: [n] })
const text = (s: string) => ({ text: 'select $1::text as s, now() as at', values: [s] })

t.test('statements are answered in their order, by one Sync, and described once a connection', async t => {
  const { client, counted } = await open(t)
  const [one, two, three] = await client.batch([number(1), text('a'), number(2)])
  t.match(
    [one, two, three],
    [
      { command: 'SELECT 1', rows: [{ n: 1, nothing: null }] },
      { command: 'SELECT 1', rows: [{ s: 'a', at: Date }] },
      { command: 'SELECT 1', rows: [{ n: 2, nothing: null }] },
    ],
  )
  t.match(counted(), { readyForQuery: 1 })
  t.match(await client.batch([text('b'), number(3)]), [{ rows: [{ s: 'b', at: Date }] }, { rows: [{ n: 3 }] }])
  t.strictSame(counted(), { parseComplete: 0, rowDescription: 0, readyForQuery: 1 })
  t.strictSame((await client.query('select $1::int as n', [4])).rows, [{ n: 4 }], 'and between them goes a query alone')
})

t.test('after one that fails the others are passed over, and all can be sent again', async t => {
  const { client } = await open(t)
  const divided = (by: number) => ({ text: 'select 1 / $1::int as quotient', values: [by] })
  for (const _ of [1, 2]) {
    await t.rejects(client.batch([number(1), divided(0), text('never')]), { code: '22012' })
    t.match(await client.batch([text('b'), divided(1)]), [{ rows: [{ s: 'b' }] }, { rows: [{ quotient: 1 }] }])
  }
  await t.rejects(client.batch([{ text: 'select nonsense', values: [] }]), { code: '42703' })
  t.match(await client.batch([number(5)]), [{ rows: [{ n: 5 }] }])
})

t.test('a batch that was sent behind one that fails has its rows all the same', async t => {
  const { client } = await open(t)
  const divided = (by: number) => ({ text: 'select 10 / $1::int as quotient', values: [by] })
  await client.batch([divided(1)])
  const [failed, next] = await Promise.allSettled([client.batch([divided(0)]), client.batch([divided(2)])])
  t.match(failed, { status: 'rejected', reason: { code: '22012' } })
  t.match(next, { status: 'fulfilled', value: [{ rows: [{ quotient: 5 }] }] })
  t.match(await client.batch([divided(5)]), [{ rows: [{ quotient: 2 }] }])
})

t.test('a statement whose table has got another column works again after it failed once', async t => {
  const { client } = await open(t)
  await client.query('create table altered as select 1 as a')
  const all = [{ text: 'select * from altered', values: [] }]
  t.strictSame(await client.batch(all), [{ command: 'SELECT 1', rows: [{ a: 1 }] }])
  await client.query('alter table altered add b int default 2')
  await t.rejects(client.batch(all), { code: '0A000' })
  t.strictSame(await client.batch(all), [{ command: 'SELECT 1', rows: [{ a: 1, b: 2 }] }])
})

t.test('a value that can not be read fails its batch, not the connection', async t => {
  const { client } = await open(t)
  const money = 790
  const read = pg.types.getTypeParser(money)
  pg.types.setTypeParser(money, () => {
    throw new RangeError('no such sum')
  })
  t.teardown(() => pg.types.setTypeParser(money, read))
  await t.rejects(client.batch([number(6), { text: 'select 1::money', values: [] }]), new RangeError('no such sum'))
  t.match(await client.batch([number(7)]), [{ rows: [{ n: 7 }] }])
})
