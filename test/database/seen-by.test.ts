import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import pg from 'pg'
import t, { type Test } from 'tap'
import { migrate } from '../../src/database/migrate.ts'
import type { Database } from '../../src/database/pool.ts'
import { findReader, makeReader } from '../../src/database/reader.ts'
import { openReading } from '../../src/database/seen-by.ts'
import { connection, openTestDatabase } from '../fixtures/connection.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startTestService, takeTestService } from '../fixtures/service.ts'

const [one, other] = ['0000123456-00001', '0000999999-00001']
function open(t: Test, url: string): Database {
  return openTestDatabase(t, url)
}

function read(t: Test, url: string, reader: string | null, connections = 2) {
  const reading = openReading(connection(url, { connections }))
  reading.readAs(reader)
  t.teardown(() => reading.destroy())
  return reading.seenBy
}

/** Two accounts that both have something of everything. */
async function fill(t: Test): Promise<string> {
  const service = await takeTestService(t)
  for (const [at, account] of [one, other].entries()) {
    const requestId = `request-${at}`
    await service.record(requestId, [device(at)], { accountName: account })
    t.match(await service.callback(makeCallback({ requestId, ...device(at) }), { account }), { status: 200 })
    await service.sql(
      `insert into submissions (id, name, account_name, asked_by, request_digest, request, intended_at)
        values (gen_random_uuid(), $1, $2, 'test', '', '{}', now())`,
      [`submission-${at}`, account],
    )
  }
  return service.databaseUrl
}

const seen: { [table: string]: string } = {
  activations: 'account_name',
  callbacks: 'account_name',
  results: 'account_name',
  profiles: 'account_name',
  changes: 'account_name',
  submissions: 'account_name',
  profile_counts: 'account_name',
  activation_counts: 'account_name',
  callback_counts: 'account_name',
  targets: '(select a.account_name from activations a where a.id = activation_id)',
}

t.test('a query without any condition sees the accounts of who asks, and no other', async t => {
  const url = await fill(t)
  const db = open(t, url)
  const seenBy = read(t, url, await findReader(db))
  const accountsIn = async (db: Database, table: string) => {
    const { rows } = await sql<{ name: string }>`
      select distinct ${sql.raw(seen[table] ?? '')} as name from ${sql.table(table)} order by 1`.execute(db)
    return rows.map(({ name }) => name)
  }
  for (const table of Object.keys(seen)) {
    t.strictSame(await accountsIn(seenBy([one]), table), [one], table)
    t.strictSame(await accountsIn(seenBy([other]), table), [other], table)
    t.strictSame(await accountsIn(seenBy([one, other]), table), [one, other], table)
    t.strictSame(await accountsIn(seenBy('*'), table), [one, other], table)
    t.strictSame(await accountsIn(seenBy([]), table), [], table)
    t.strictSame(await accountsIn(seenBy(['no-such-account']), table), [], table)
    t.strictSame(await accountsIn(db, table), [one, other], `the owner goes on seeing all of ${table}`)
  }
  for (const table of ['api_tokens', 'sealed_keys', 'listener_credentials', 'audit']) {
    await t.rejects(sql`select from ${sql.table(table)}`.execute(seenBy('*')), { code: '42501' }, table)
  }
  await t.rejects(sql`delete from profiles`.execute(seenBy('*')), { code: '42501' }, 'and only reads')
})

t.test('every table that names an account is kept to it, or can not be read by who asks', async t => {
  const url = await createEmptyDatabase(t)
  const db = open(t, url)
  await migrate(db)
  await makeReader(db)
  const { rows } = await sql<{ table: string; restricted: boolean; readable: boolean }>`
    select c.relname as table, has_table_privilege(${await findReader(db)}, c.oid, 'select') as readable,
      c.relrowsecurity and exists (
        select from pg_policy where polrelid = c.oid and polname = 'reader' and not polpermissive) as restricted
    from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'`.execute(db)
  t.strictSame(
    rows
      .filter(({ readable }) => readable)
      .map(({ table }) => table)
      .sort(),
    Object.keys(seen).sort(),
  )
  t.ok(rows.every(({ readable, restricted }) => restricted === readable))
})

t.test('many who ask over few connections each see their own', async t => {
  const url = await fill(t)
  const seenBy = read(t, url, await findReader(open(t, url)))
  const asked = Array.from({ length: 300 }, (_, n) => [[one], [other], [one, other]][(n * 7) % 3] ?? [])
  const answers = await Promise.all(
    asked.map(async accounts => {
      const { rows } = await sql<{ account_name: string }>`
        select account_name from profiles where ${true} order by 1`.execute(seenBy(accounts))
      return rows.map(row => row.account_name)
    }),
  )
  t.strictSame(answers, asked)
})

t.test('nothing is answered before the role is known, nor when it can not be taken', async t => {
  const url = await fill(t)
  const reading = openReading(connection(url, { connections: 1 }))
  t.teardown(() => reading.destroy())
  const ask = () => sql`select * from profiles`.execute(reading.seenBy([one]))
  await t.rejects(ask(), { code: '57P03' })
  reading.readAs('no_such_role')
  await t.rejects(ask(), { code: '22023' })
  reading.readAs(await findReader(open(t, url)))
  t.match(await ask(), { rows: [{ account_name: one }] }, 'the same connection serves again')
})

t.test('the user that owns the tables needs no more than to make a role', async t => {
  for (const mayMakeRoles of [true, false]) {
    const { user, ownDatabase } = await makeOwner(t, mayMakeRoles ? 'createrole' : '')
    const url = await ownDatabase()
    const service = await startTestService(t, { DATABASE_URL: url })
    const db = open(t, url)
    t.equal(await findReader(db), mayMakeRoles ? `reader_of_${user}` : null)
    t.match(await service.callback(makeCallback({ ...device(1) })), { status: 200 })
    t.match(await service.get(`/v1/devices/imei/${device(1).imei}`), { status: 200 })
    if (!mayMakeRoles) continue
    const seenBy = read(t, url, await findReader(db))
    t.strictSame((await sql`select * from profiles`.execute(seenBy([other]))).rows, [])
    await Promise.all(Array.from({ length: 4 }, () => makeReader(db)))
    t.match(await service.get(`/v1/devices/imei/${device(1).imei}`), { status: 200 }, 'made again, it changes nothing')
  }
})

t.test('a database that was restored without its grants answers as before', async t => {
  const { user, ownDatabase } = await makeOwner(t, 'createrole')
  const url = await ownDatabase()
  const first = open(t, url)
  await sql`create schema ${sql.id(user)}`.execute(first)
  const db = open(t, url)
  await migrate(db)
  await makeReader(db)
  for (const grant of ['select on profiles', `usage on schema ${user}`, 'execute on function feed_head()']) {
    await sql`revoke ${sql.raw(grant)} from ${sql.id(`reader_of_${user}`)}`.execute(db)
    t.equal(await findReader(db), null, `${grant} is missing`)
    await makeReader(db)
    t.equal(await findReader(db), `reader_of_${user}`, `${grant} is given again`)
  }
})

t.test('a user with a schema of its own name has its tables there, and who asks finds them', async t => {
  const { user, ownDatabase } = await makeOwner(t, 'createrole')
  const url = await ownDatabase()
  const db = open(t, url)
  await sql`create schema ${sql.id(user)}`.execute(db)
  await db.destroy()
  const service = await startTestService(t, { DATABASE_URL: url })
  t.match(await service.callback(makeCallback({ ...device(1) })), { status: 200 })
  t.match(await service.get(`/v1/devices/imei/${device(1).imei}`), { status: 200 })
  t.match(await service.sql('select distinct schemaname as its from pg_tables where tablename = $1', ['profiles']), [
    { its: user },
  ])
})

t.test(
  'databases of one server share the role, also when they make it at once, or when it was made for them',
  async t => {
    const { user, admin, ownDatabase } = await makeOwner(t, 'createrole')
    const owned = async () => {
      const db = open(t, await ownDatabase())
      await migrate(db)
      return db
    }
    const atOnce = [await owned(), await owned()]
    await Promise.all(atOnce.map(db => makeReader(db)))
    await admin.query(`alter role ${user} nocreaterole`)
    const later = await owned()
    await makeReader(later)
    for (const db of [...atOnce, later]) t.equal(await findReader(db), `reader_of_${user}`)
  },
)

/** A user who may log in and what else is said, and databases of its own; all gone when the test ends. */
async function makeOwner(t: Test, may: string) {
  const user = `test_${randomBytes(4).toString('hex')}`
  const admin = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL })
  await admin.connect()
  t.teardown(async () => {
    await admin.query(`drop role if exists reader_of_${user}`)
    await admin.query(`drop role ${user}`)
    await admin.end()
  })
  await admin.query(`create role ${user} login password 'secret' ${may}`)
  const ownDatabase = async () => {
    const url = new URL(await createEmptyDatabase(t))
    await admin.query(`alter database ${url.pathname.slice(1)} owner to ${user}`)
    return Object.assign(url, { username: user, password: 'secret' }).href
  }
  return { user, admin, ownDatabase }
}
