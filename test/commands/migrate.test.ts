import { randomBytes } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { runCommand } from '../fixtures/run-command.ts'

t.test('the database is all that it asks for, and it says what it did', async t => {
  const DATABASE_URL = await createEmptyDatabase(t)
  t.match(await runCommand('migrate', [], { DATABASE_URL }), { code: 0, stdout: /^migrated: 0001-\S+, .*\n$/ })
  t.match(await runCommand('migrate', [], { DATABASE_URL }), { code: 0, stdout: 'the schema is current\n' })
})

t.test('what it can not do it says in a sentence', async t => {
  t.match(await runCommand('migrate', [], {}), { code: 1, stdout: '', stderr: /^set DATABASE_URL: / })
  const nowhere = { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/none' }
  t.match(await runCommand('migrate', [], nowhere), { code: 1, stderr: /^the database can't be used/ })
})

t.test('what the database does not let it do it says in words as well', async t => {
  const url = new URL(await createEmptyDatabase(t))
  const admin = new pg.Client({ connectionString: url.href })
  await admin.connect()
  const user = `user_${randomBytes(6).toString('hex')}`
  await admin.query(`create role ${user} login password 'secret'`)
  t.teardown(async () => {
    await admin.query(`drop owned by ${user}; drop role ${user}`)
    await admin.end()
  })
  const DATABASE_URL = Object.assign(url, { username: user, password: 'secret' }).href
  const run = () => runCommand('migrate', [], { DATABASE_URL })
  t.match(await run(), { code: 1, stderr: /^migration \S* ?failed \(42501: permission denied for schema public\)/ })
  await admin.query(`grant create on schema public to ${user}`)
  t.match(await run(), { code: 1, stderr: /^the schema jobs could not be made: the user needs CREATE on the database/ })
  await admin.query(`grant create on database ${url.pathname.slice(1)} to ${user}`)
  t.match(await run(), { code: 0, stdout: 'the schema is current\n' })
  await admin.query("insert into kysely_migration values ('9999-later', '')")
  t.match(await run(), { code: 1, stderr: /^the schema is of a later version, with 9999-later/ })
})
