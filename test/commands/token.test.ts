import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createEmptyDatabase, createTestDatabase } from '../fixtures/database.ts'
import { makeCallback } from '../fixtures/make-callback.ts'
import { type CommandResult, runCommand } from '../fixtures/run-command.ts'
import { failToStart } from '../fixtures/server-process.ts'
import { account, startTestService, type TestService } from '../fixtures/service.ts'

// they wait more than they work
t.jobs = 3

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
/** Two seconds are promised; a busy machine may be late. */
const promisedMs = 6_000

/** The token command on this database, and everything it has printed. */
function commandOn(databaseUrl: string) {
  let printed = ''
  const token = async (...args: string[]): Promise<CommandResult> => {
    const result = await runCommand('token', args, { DATABASE_URL: databaseUrl })
    printed += result.stdout + result.stderr
    return result
  }
  return { token, printed: () => printed }
}

/** Asks until all answer with that status; what is asked later than promised must be answered so. */
async function allAnswer(t: Test, services: TestService[], path: string, token: string, status: number): Promise<void> {
  const started = performance.now()
  for (;;) {
    const askedAfter = performance.now() - started
    const answers = await Promise.all(services.map(service => service.get(path, token === '' ? {} : bearer(token))))
    const all = answers.every(answer => answer.status === status)
    if (all || askedAfter > promisedMs) {
      t.ok(all, `${answers.map(answer => answer.status)} when asked after ${Math.round(askedAfter)} ms`)
      return
    }
    await sleep(20)
  }
}

/** What becomes of a request that lasts. */
async function outcomeOf(url: string, token: string): Promise<string> {
  try {
    const answer = await fetch(url, { headers: bearer(token) })
    return `answered ${answer.status}: ${await answer.text()}`
  } catch {
    return 'broken off'
  }
}

t.test('a token is shown once, alone on the last line, and only its digest is kept', async t => {
  const databaseUrl = await createTestDatabase(t)
  const { token } = commandOn(databaseUrl)
  const made = await token('create', '--name', 'dashboard', '--account', account, '--account', 'b', '--scope', 'read')
  t.match(made, { code: 0, stderr: '' })
  const secret = made.lines.at(-1) ?? ''
  t.match(secret, /^tscr_[A-Za-z0-9_-]{43}$/)
  t.equal(made.stdout.split(secret).length, 2, 'it stands there once')

  const all = await token(
    'create',
    '--name',
    'all',
    '--account',
    '*',
    '--scope',
    'read',
    '--scope',
    'metrics',
    '--json',
  )
  const { token: second, ...rest } = JSON.parse(all.stdout)
  t.strictSame(rest, { name: 'all', scopes: ['read', 'metrics'], accounts: ['*'] })
  t.not(second, secret)

  const listed = await token('list', '--json')
  t.match(JSON.parse(listed.stdout), {
    items: [
      { name: 'all', scopes: ['read', 'metrics'], accounts: ['*'], createdAt: /Z$/ },
      { name: 'dashboard', scopes: ['read'], accounts: [account, 'b'] },
    ],
  })
  const table = await token('list')
  t.match(table.lines, [/^NAME +SCOPES +ACCOUNTS +CREATED$/, /^all +read,metrics +\* /, /^dashboard +read /])
  for (const shown of [secret, second, sha256(secret)]) {
    t.notOk(`${listed.stdout}${table.stdout}`.includes(shown), 'no list shows a token')
  }

  const service = await startTestService(t, { DATABASE_URL: databaseUrl })
  const rows = await service.sql(`select name, encode(digest, 'hex') as digest, t::text as row from api_tokens t`)
  t.strictSame(new Set(rows.map(row => row.digest)), new Set([sha256(secret), sha256(second)]))
  t.notOk(rows.some(({ row }) => row.includes(secret) || row.includes(second)))
  t.match(await service.get('/v1/activations/none', bearer(secret)), { status: 404 })
  t.match(await service.get('/metrics', bearer(secret)), { status: 403, body: { errorMessage: /scope metrics/ } })
  t.match(await service.get('/metrics', bearer(second)), { status: 200 })
  t.match(await service.get('/v1/activations/none', bearer(`${secret}x`)), { status: 401 })
  t.match(await service.get('/v1/activations/none', bearer(sha256(secret))), { status: 401 }, 'a digest is no token')
})

t.test('a token made while two replicas run is taken by both, and refused by both once it is revoked', async t => {
  const databaseUrl = await createTestDatabase(t)
  const configured = { API_TOKENS: `fixed:read:*:${sha256('fixed')}` }
  const replicas = [
    await startTestService(t, { DATABASE_URL: databaseUrl, ...configured }),
    await startTestService(t, { DATABASE_URL: databaseUrl, ...configured }),
  ]
  const { token, printed } = commandOn(databaseUrl)
  const secret = (await token('create', '--name', 'poller', '--account', '*', '--scope', 'read')).lines.at(-1) ?? ''
  await allAnswer(t, replicas, '/v1/changes', secret, 200)

  const open = replicas.flatMap(({ url }) =>
    ['/v1/changes?wait=30', '/v1/changes/stream'].map(path => outcomeOf(url + path, secret)),
  )
  t.match(await token('revoke', 'poller', '--json'), { code: 0, stdout: '{"name":"poller","revoked":true}\n' })
  await allAnswer(t, replicas, '/v1/changes', secret, 401)
  const outcomes = await Promise.race([Promise.all(open), sleep(2 * promisedMs, 'still open' as const, { ref: false })])
  t.strictSame(outcomes, Array(4).fill('broken off'), 'waiting requests and streams end with their token')
  t.match(await replicas[0]?.get('/v1/changes', bearer('fixed')), { status: 200 }, 'others go on')

  t.match(await token('revoke', 'poller'), { code: 1, stderr: /no valid token with that name/ })
  t.match(
    await token('create', '--name', 'poller', '--account', '*', '--scope', 'read'),
    { code: 0 },
    'its name is free',
  )
  t.match(await replicas[0]?.get('/v1/changes', bearer(secret)), { status: 401 }, 'and the old one stays refused')
  t.equal(printed().split(secret).length, 2)
})

t.test('the try-out mode ends with the first token, for good', async t => {
  const databaseUrl = await createTestDatabase(t)
  const { token } = commandOn(databaseUrl)
  const service = await startTestService(t, { DATABASE_URL: databaseUrl })
  t.ok(service.isTriedOut())
  t.match(await service.get('/v1/changes'), { status: 200 })
  t.match(await service.get('/metrics'), { status: 200 })
  t.match(await service.callback(makeCallback()), { status: 200 })
  const stream = await fetch(`${service.url}/v1/changes/stream`)
  const secret = (await token('create', '--name', 'first', '--account', '*', '--scope', 'read')).lines.at(-1) ?? ''
  await allAnswer(t, [service], '/v1/changes', '', 401)
  await t.rejects(stream.text(), 'who follows without a token is let go')
  t.match(await service.get('/v1/changes', bearer(secret)), { status: 200 })
  t.match(await service.get('/metrics'), { status: 401 }, 'metrics need a token as soon as there is one')
  t.match(await service.callback(makeCallback()), { status: 403 })
  await token('revoke', 'first')
  await allAnswer(t, [service], '/v1/changes', secret, 401)
  t.match(await service.get('/v1/changes'), { status: 401 }, 'it does not come back with the last token revoked')
  t.notOk(service.isTriedOut())
  const again = await startTestService(t, { DATABASE_URL: databaseUrl })
  t.match(await again.get('/v1/changes'), { status: 401 }, 'nor with a restart')
})

t.test('beyond loopback a database with a token will do, one without refuses the start', async t => {
  const databaseUrl = await createTestDatabase(t)
  const env = { DATABASE_URL: databaseUrl, SEAL_KEY: Buffer.alloc(32, 7).toString('base64'), HOST: '0.0.0.0' }
  t.match(await failToStart(env), {
    code: 1,
    output: /HOST: 0\.0\.0\.0.*THINGSPACE_ACCOUNT.*API_TOKENS.*npm run token/s,
  })
  const { token } = commandOn(databaseUrl)
  const secret = (await token('create', '--name', 'one', '--account', '*', '--scope', 'read')).lines.at(-1) ?? ''
  const service = await startTestService(t, env)
  const at = service.url.replace('0.0.0.0', '127.0.0.1')
  t.equal((await fetch(`${at}/v1/changes`)).status, 401)
  t.equal((await fetch(`${at}/v1/changes`, { headers: bearer(secret) })).status, 200)
})

t.test('what can not be done is said in a sentence, wrong usage with another exit code', async t => {
  const databaseUrl = await createTestDatabase(t)
  const { token, printed } = commandOn(databaseUrl)
  const good = ['create', '--name', 'n', '--account', '*', '--scope', 'read']
  await token(...good)
  const cases: [string[], number, RegExp][] = [
    [good, 1, /there is a token with the name n: revoke it first/],
    [[], 2, /say what to do: create, list, revoke/],
    [['make'], 2, /say what to do: create, list, revoke/],
    [['create', '--account', '*', '--scope', 'read'], 2, /--name NAME/],
    [['create', '--name', 'two words', '--account', '*', '--scope', 'read'], 2, /--name: a name is up to 64 letters/],
    [['create', '--name', 'm', '--scope', 'read'], 2, /--account/],
    [['create', '--name', 'm', '--account', '*', '--account', 'b', '--scope', 'read'], 2, /name no other/],
    [['create', '--name', 'm', '--account', '*'], 2, /--scope, one of read, activate, operate, credentials, metrics/],
    [['create', '--name', 'm', '--account', '*', '--scope', 'write'], 2, /--scope: one of read/],
    [['create', '--name', 'm', '--account', '*', '--scope', 'read', 'LICENSE'], 2, /one argument too many.*'\*'/],
    [['create', '--name', 'm', '--admin', 'canary-1'], 2, /Unknown option '--admin'/],
    [['create', '--name', 'm', '--admin=canary-2'], 2, /Unknown option '--admin'/],
    [['list', '--scope', 'read'], 2, /Unknown option '--scope'/],
    [['revoke'], 2, /the name of one token/],
    [['revoke', 'canary 3'], 2, /a name is up to/],
  ]
  const results = await Promise.all(cases.map(([args]) => token(...args)))
  for (const [at, [args, code, stderr]] of cases.entries())
    t.match(results[at], { code, stderr, stdout: '' }, args.join(' '))
  t.notMatch(printed(), /canary/)
  t.match(await token('create', '--help'), { code: 0, stderr: '', stdout: /--scope SCOPE/ })

  const unreachable = await runCommand('token', ['list'], { DATABASE_URL: 'postgres://u:canary-4@127.0.0.1:1/none' })
  t.match(unreachable, { code: 1, stdout: '', stderr: /the database can't be used \(ECONNREFUSED\)/ })
  t.notMatch(unreachable.stderr, /canary/)
  const stale = await createEmptyDatabase(t)
  const off = await runCommand('token', ['list'], { DATABASE_URL: stale, MIGRATE: 'off' })
  t.match(off, { code: 1, stderr: /the schema is not current: npm run migrate/ })
})
