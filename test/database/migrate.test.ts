import { Migrator } from 'kysely/migration'
import t, { type Test } from 'tap'
import { migrate, migrationFiles, pendingMigrations } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

function open(t: Test, url: string) {
  const db = openDatabase({
    url,
    name: 'test',
    connections: 2,
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 30_000,
    connectionTimeoutMs: 5_000,
    onConnectionError: () => undefined,
  })
  t.teardown(() => db.destroy())
  return db
}

t.test('several processes migrate at once: one works, the others find it done', async t => {
  const url = await createEmptyDatabase(t)
  const all = await Promise.all(Array.from({ length: 4 }, () => migrate(open(t, url))))
  const done = all.flat()
  t.equal(new Set(done).size, done.length, 'each step ran once')
  t.ok(done.length > 0)
  t.strictSame(await pendingMigrations(open(t, url)), [])
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
