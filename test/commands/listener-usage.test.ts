import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { access, one, setStage } from '../fixtures/listener-stage.ts'
import { type CommandResult, runCommand } from '../fixtures/run-command.ts'
import { account } from '../fixtures/service.ts'

t.test('what can not be done is said in a sentence, wrong usage with another exit code', async t => {
  const { listener, env, printed, carrier } = await setStage(t)
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'listener-test-')), 'password')
  await writeFile(file, `${'canary-too-long-'.repeat(3)}\n`)
  const api = `${file}-api`
  await writeFile(api, access.password)
  const register = ['register', '--account', account, '--url', 'https://example.com']
  const cases: [string[], number, RegExp][] = [
    [[], 2, /say what to do: register, rotate, list/],
    [['remove'], 2, /say what to do: register, rotate, list/],
    [['register', '--url', 'https://example.com'], 2, /name the account/],
    [['register', '--account', account], 2, /--url/],
    [['register', '--account', 'a/b', '--url', 'https://example.com'], 2, /--account: a billing account/],
    [['register', '--account', account, '--url', 'example.com'], 2, /begin with https/],
    [[...register, '--service', 'a/b'], 2, /--service: a callback service/],
    [[...register, '--password', 'canary-1'], 2, /Unknown option '--password'/],
    [[...register, '--username', 'canary-'.repeat(6)], 2, /user name of a listener is 1 to 40/],
    [[...register, '--username', access.username], 2, /must not be one of the ThingSpace API/],
    [[...register, '--password-file', file], 2, /password of a listener is 1 to 40/],
    [[...register, '--password-file', api], 2, /must not be one of the ThingSpace API/],
    [[...register, '--password-file', '/no/such/file'], 2, /ENOENT/],
    [[...register, 'canary-2'], 2, /one argument too many after register/],
    [['rotate', '--account', account], 1, /no listener of .* is registered: register one/],
    [['rotate', ...one], 1, /CarrierService of .* is not registered/],
  ]
  const results = await Promise.all(cases.map(([args]) => listener(...args)))
  for (const [at, [args, code, stderr]] of cases.entries()) {
    t.match(results[at], { code, stderr, stdout: '' }, args.join(' '))
  }
  t.notMatch(printed(), /canary/)
  t.match(await listener('--help'), { code: 0, stdout: /clear-login-latch/ })
  const { THINGSPACE_SECRET: _, ...incomplete } = env
  t.match(await runCommand('listener', ['list'], incomplete), { code: 1, stderr: /missing: THINGSPACE_SECRET/ })
  const { THINGSPACE_KEY: __, THINGSPACE_USERNAME: ___, THINGSPACE_PASSWORD: ____, ...none } = incomplete
  t.match(await runCommand('listener', ['list'], none), { code: 1, stderr: /set THINGSPACE_KEY/ })

  const wrong = { ...env, THINGSPACE_PASSWORD: 'canary-3' }
  const tries: CommandResult[] = []
  for (const _ of [1, 2, 3]) tries.push(await runCommand('listener', ['check', '--account', account], wrong))
  t.match(tries, [
    { code: 1, stderr: /session login was not authorized.*Wrong username or password/ },
    { code: 1, stderr: /session login was not authorized/ },
    { code: 1, stderr: /was not tried: two ThingSpace logins were refused.*\n.*clear-login-latch/ },
  ])
  t.notMatch(JSON.stringify(tries), /canary/)
  t.match(await listener('check', '--account', account), { code: 1 }, 'it holds with the right password, too')
  t.match(await listener('clear-login-latch'), { code: 0 })
  t.match(await listener('check', '--account', account), { code: 0 })
  t.notOk(carrier.state().locked)
})
