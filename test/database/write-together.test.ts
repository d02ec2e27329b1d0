import { sql } from 'kysely'
import t from 'tap'
import { rows, statement } from '../../src/database/statement.ts'
import { writeTogether } from '../../src/database/write-together.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

const db = openTestDatabase(t, await createEmptyDatabase(t), { connections: 1 })

await sql`create table one (id integer primary key, word text, document json)`.execute(db)
await sql`create table other (id integer primary key, said text)`.execute(db)

const insertOnes = statement`insert into one select id, word, document from ${rows('id integer, word text, document json')}`
const updateOnes = statement`update one set word = r.word from ${rows('id integer, word text')} where one.id = r.id`
const insertOthers = statement`insert into other select id, said from ${rows('id integer, said text')}`
const readAll = statement<{ id: number; word: string }>`select id, word from one order by id`
const find = statement<{ id: number }>`select one.id from one join ${rows('id integer')} on one.id = r.id order by 1`

t.test('writes of several tables arrive, each with its own rows', async t => {
  await writeTogether(db, [
    { statement: insertOnes, rows: [{ id: 1, word: 'first', document: { a: "it's" } }, { id: 2 }] },
    { statement: updateOnes, rows: [] },
    { statement: insertOthers, rows: [{ id: 7, said: 'so' }] },
  ])
  await writeTogether(db, [
    { statement: insertOnes, rows: [] },
    { statement: updateOnes, rows: [{ id: 2, word: 'second' }] },
    { statement: insertOthers, rows: [{ id: 8, said: null }] },
  ])
  const { rows: ones } = await sql`select * from one order by id`.execute(db)
  const { rows: others } = await sql`select * from other order by id`.execute(db)
  const plain = (list: readonly unknown[]) => list.map(row => ({ ...(row as object) }))
  t.strictSame(plain(ones), [
    { id: 1, word: 'first', document: { a: "it's" } },
    { id: 2, word: 'second', document: null },
  ])
  t.strictSame(plain(others), [
    { id: 7, said: 'so' },
    { id: 8, said: null },
  ])
})

t.test('one that is refused takes the others with it', async t => {
  const writes = [
    { statement: insertOthers, rows: [{ id: 9 }] },
    { statement: insertOnes, rows: [{ id: 1 }] },
  ]
  await t.rejects(writeTogether(db, writes), { code: '23505' })
  t.strictSame((await sql`select from other where id = 9`.execute(db)).rows, [])
})

t.test('a statement without rows asks nothing, one that takes none always does', async t => {
  t.strictSame(await find.execute(db, []), [])
  t.equal((await find.execute(db, [{ id: 2 }, { id: 1 }, { id: 5 }])).length, 2)
  t.match(await readAll.execute(db), [{ id: 1, word: 'first' }, { id: 2 }])
})
