import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { readDemoOptions } from '../../src/commands/demo-options.ts'
import { removeDataDirectory } from '../../src/database/embedded-cluster.ts'
import { childEnvironment } from '../fixtures/child-environment.ts'
import { createTestDatabase } from '../fixtures/database.ts'

const sealKey = Buffer.alloc(32, 7).toString('base64')
const entry = path.join(import.meta.dirname, '..', '..', 'src', 'commands', 'demo.ts')

interface Ended {
  code: number | null
  output: string
  errors: string
}

/** What `npm run demo` runs, with nothing in its environment but what is given. */
function startDemo(t: Test, args: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [entry, ...args], {
    env: childEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended: Ended = { code: null, output: '', errors: '' }
  child.stdout.on('data', data => (ended.output += data))
  child.stderr.on('data', data => (ended.errors += data))
  const end = once(child, 'close').then(([code]) => Object.assign(ended, { code }))
  return { child, ended, end }
}

async function runDemo(t: Test, args: string[], env: Record<string, string>): Promise<Ended> {
  return startDemo(t, args, env).end
}

async function onTestDatabase(t: Test) {
  return { DATABASE_URL: await createTestDatabase(t), SEAL_KEY: sealKey }
}

t.test('with nothing configured it tells the whole story, and leaves nothing running', async t => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'demo-test-'))
  await chmod(dataDir, 0o711)
  t.teardown(() => removeDataDirectory(dataDir))
  const { code, output, errors } = await runDemo(t, ['--once', '--seed', '42', '--profiles', '300'], {
    DATA_DIR: dataDir,
  })
  t.equal(errors, '')
  t.equal(code, 0)
  t.match(output, 'seed 42')

  const [story = '', summary = ''] = output.split('What the carrier sent, and what the API says now')
  t.match(story, /fault DeviceAlreadyActive +answered 200/, 'one fails')
  t.match(story, /poll .*pending \(0 of 1, 1 with a warning\)/, 'one warns first')
  t.match(story, /callbackCount 2 +answered 200/, 'one comes twice')
  t.match(story, /answered 200, ahead of its requestId/, 'one comes early')
  t.match(story, /record .*201 succeeded \(1 of 1\): its callback was kept/, 'and is claimed')

  t.match(summary, /^ +1 +\d+ +success +\| +1 kept +succeeded +ACTIVE +ENABLE +LEAD$/m)
  t.match(summary, /^ +2 +\d+ +success +\| +1 kept +succeeded +ACTIVE +ENABLE +LOCAL$/m)
  t.match(summary, /^ +3 +\d+ +fault +\| +1 kept +failed/m)
  t.match(summary, /^ +4 +\d+ +warning, then success +\| +2 kept +succeeded +ACTIVE/m)
  t.match(summary, /^ +5 +\d+ +success 2 times +\| +1 kept, 2 seen +succeeded +ACTIVE/m)
  t.match(summary, 'All 9 profiles are as the carrier said: nothing missing.')

  t.match(story + summary, /overdue: \d+ stragglers without a final word/)
  t.match(summary, /^ +never sent +[1-9]\d* +\| +callbacks kept +\d+$/m)
  t.match(summary, /^ +late +[1-9]\d* +\| +healed by a poll +[1-9]\d*$/m)
  t.match(summary, /^ +of these twice at once +[1-9]/m)
  t.match(summary, /All 300 profiles are as the carrier said, \d+ s after the request: nothing missing\./)
  t.match(summary, /"profileRole": "LEAD"/)
  t.match(summary, /"profileRole": "LOCAL"/)
  for (const url of [/\d\/docs$/m, /\d\/v1\/devices\/eid\/\d{32}$/m, /\d\/v1\/activations\/[0-9a-f-]{36}$/m]) {
    t.match(summary, url)
  }
  t.match(summary, /the carrier +http:\/\/127\.0\.0\.1:\d+\/$/m)
  t.notMatch(output, '\x1b', 'no colours where there is no terminal')
  await t.rejects(fetch(/http:\S+\/docs/.exec(summary)?.[0] ?? ''), 'the service is gone')
})

t.test('the same seed on the same database tells what is known, and misses nothing', async t => {
  const env = await onTestDatabase(t)
  const first = await runDemo(t, ['--once', '--seed', '7', '--profiles', '0'], env)
  const second = await runDemo(t, ['--once', '--seed', '7', '--profiles', '0'], env)
  t.match(first, { code: 0, output: /nothing missing/, errors: '' })
  t.match(second, { code: 0, output: /nothing missing/, errors: '' })
  t.match(second.output, /200 succeeded \(3 of 3\), known from an earlier run/)
  t.strictSame(profilesOf(second.output), profilesOf(first.output))
})

function profilesOf(output: string): string[] {
  return [...output.matchAll(/^ +\d +(\d{20}) /gm)].map(([, iccid = '']) => iccid)
}

t.test('it says clearly why it can not work', async t => {
  const env = await onTestDatabase(t)
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const { code, errors } = await runDemo(t, ['--once'], { ...env, PORT: `${port}` })
  t.match(errors, new RegExp(`^The demo did not work: port ${port} is taken; set PORT to another`))
  t.equal(code, 1)
  const unknown = await runDemo(t, ['--twice'], env)
  t.match(unknown.errors, /^The demo did not work: Unknown option '--twice'\s+npm run demo -- \[--seed N\]/)
  t.equal(unknown.code, 1)
})

t.test('what it is told is checked before anything starts', async t => {
  const cases: [string, string[], Record<string, string>, RegExp][] = [
    ['no port', [], { PORT: 'http' }, /PORT: a whole number/],
    ['no seal key', [], { DATABASE_URL: 'postgres://127.0.0.1/x' }, /SEAL_KEY: needed with DATABASE_URL/],
    ['no seed', ['--seed', 'x'], {}, /--seed must be a whole number/],
    ['too many', ['--profiles', '10001'], {}, /--profiles must be a whole number from 0 to 10000/],
  ]
  for (const [name, args, env, message] of cases) t.throws(() => readDemoOptions(args, env), { message }, name)
})

t.test('broken off in the middle it stops at once, without a word of complaint', async t => {
  const { child, ended, end } = startDemo(t, ['--profiles', '0'], await onTestDatabase(t))
  while (!ended.output.includes('#2  record')) await once(child.stdout, 'data')
  child.kill('SIGINT')
  const { code, output, errors } = await end
  t.equal(code, 130)
  t.equal(errors, '')
  t.notMatch(output, 'nothing missing')
})
