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
