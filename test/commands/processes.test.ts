import t from 'tap'
import { createTestDatabase } from '../fixtures/database.ts'
import { runCommandProcess, sealKey } from '../fixtures/run-command.ts'

// The tests of each command run it in their own process: here is what only a process shows.

t.jobs = 3
const nowhere = { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/none', SEAL_KEY: sealKey }

for (const name of ['token', 'listener', 'forget', 'migrate', 'reseal', 'simulator', 'demo']) {
  t.test(`${name} says how it is used`, async t => {
    const { code, stdout, stderr } = await runCommandProcess(name, ['--help'], {})
    t.match({ code, stderr }, { code: 0, stderr: '' })
    t.match(stdout, new RegExp(`^npm run ${name} -- `))
  })
}

for (const name of ['token', 'listener', 'forget', 'migrate', 'reseal', 'simulator']) {
  t.test(`${name} ends with 2 when it is used wrongly`, async t => {
    const { code, stdout, stderr } = await runCommandProcess(name, ['--nonsense'], nowhere)
    t.match({ code, stdout }, { code: 2, stdout: '' })
    t.match(stderr, /--help says how it is used\n$/)
  })
}

t.test('a command that can not do it ends with 1', async t => {
  const { code, stdout, stderr } = await runCommandProcess('token', ['list'], nowhere)
  t.match({ code, stdout }, { code: 1, stdout: '' })
  t.match(stderr, /the database can't be used/)
})

t.test('a command that did it ends with 0, and lets go of the database', async t => {
  const DATABASE_URL = await createTestDatabase(t)
  const wish = ['--name', 'dashboard', '--account', '*', '--scope', 'read']
  const { code, lines, stderr } = await runCommandProcess('token', ['create', ...wish], { DATABASE_URL })
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.match(lines.at(-1), /^tscr_[A-Za-z0-9_-]{43}$/)
})
