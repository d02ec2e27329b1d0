import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import t, { type Test } from 'tap'
import { migrate, migrationFiles, pendingMigrations } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { databaseProblems } from '../../src/database/readiness.ts'
import { connection, openTestDatabase } from '../fixtures/connection.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

function open(t: Test, url: string) {
  return openTestDatabase(t, url, { statementTimeoutMs: 30_000, lockTimeoutMs: 30_000 })
}

t.test('several processes migrate at once: one works, the others find it done', async t => {
  const url = await createEmptyDatabase(t)
  const all = await Promise.all(Array.from({ length: 4 }, () => migrate(open(t, url))))
  const done = all.flat()
  t.equal(new Set(done).size, done.length, 'each step ran once')
  t.ok(done.length > 0)
  t.strictSame(await pendingMigrations(open(t, url)), [])
})

t.test("another program that migrates its own schema in the same way is in nobody's way", async t => {
  const url = await createEmptyDatabase(t)
  const theirs = open(t, url)
  await sql`create table kysely_migration (name text); create table kysely_migration_lock (id text)`.execute(theirs)
  await sql`create schema ours`.execute(theirs)
  const db = open(t, `${url}?options=-c%20search_path%3Dours`)
  t.ok((await migrate(db)).length > 0)
  t.strictSame(await migrate(db), [])
  t.strictSame((await sql`select * from public.kysely_migration`.execute(theirs)).rows, [])
})

t.test('a place that can not hold the tables is told before anything is made', async t => {
  const url = await createEmptyDatabase(t)
  await t.rejects(migrate(open(t, `${url}?options=-c%20search_path%3Dnone`)), /no schema of the search_path/)
  const latin = `latin_${randomBytes(6).toString('hex')}`
  const admin = open(t, url)
  await sql`create database ${sql.id(latin)} encoding latin1 locale 'C' template template0`.execute(admin)
  const db = openDatabase(connection(url.replace(/[^/]+$/, latin)))
  await t.rejects(migrate(db), /may hold any character.* LATIN1; make one with UTF8/)
  t.strictSame(await db.introspection.getTables(), [])
  await db.destroy()
  await sql`drop database ${sql.id(latin)} with (force)`.execute(admin)
})

t.test('tables that are there are not made once more in a schema that comes before theirs', async t => {
  const url = await createEmptyDatabase(t)
  const db = open(t, url)
  const last = (await migrate(db)).at(-1)
  await sql`delete from kysely_migration where name = ${last}`.execute(db)
  await sql`create schema early`.execute(db)
  const later = open(t, `${url}?options=-c%20search_path%3Dearly,public`)
  await t.rejects(migrate(later), /the tables are in public, but the search_path begins with early/)
  t.strictSame((await sql`select from pg_tables where schemaname = 'early'`.execute(db)).rows, [])
})

t.test('who waits for a schema that is made meanwhile sees what is made in it', async t => {
  const url = await createEmptyDatabase(t)
  const late = `${url}?options=-c%20search_path%3Dlate,public`
  await open(t, late)
    .connection()
    .execute(async waiting => {
      t.not((await pendingMigrations(waiting)).length, 0)
      await sql`create schema late`.execute(open(t, url))
      await migrate(open(t, late))
      t.strictSame(await pendingMigrations(waiting), [])
    })
})

t.test('every step can be taken back, and taken again', async t => {
  const db = open(t, await createEmptyDatabase(t))
  const steps = await migrate(db)
  const migrator = new Migrator({ db, provider: migrationFiles })
  for (const _ of steps) t.notOk((await migrator.migrateDown()).error)
  const left = await db.introspection.getTables()
  t.strictSame(
    left.map(({ name }) => name).filter(name => !name.startsWith('kysely_')),
    [],
  )
  t.strictSame(await migrate(db), steps)
})

t.test('what is missing is told, and is all that runs; a step that the code does not know stops it', async t => {
  const db = open(t, await createEmptyDatabase(t))
  t.equal((await pendingMigrations(db)).length, Object.keys(await migrationFiles.getMigrations()).length)
  const steps = await migrate(db)
  t.strictSame(await databaseProblems(db), [])
  await new Migrator({ db, provider: migrationFiles }).migrateDown()
  t.strictSame(await pendingMigrations(db), steps.slice(-1))
  t.strictSame(await databaseProblems(db), ['the schema is not current: run npm run migrate'])
  t.strictSame(await migrate(db), steps.slice(-1))
  t.strictSame(await migrate(db), [])
  await sql`insert into kysely_migration values ('9999-of-a-later-version', now()::text)`.execute(db)
  await t.rejects(migrate(db), /of a later version, with 9999-of-a-later-version: .* MIGRATE=off/)
})
