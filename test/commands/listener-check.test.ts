import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { createThingSpaceClient } from '../../src/thingspace/client.ts'
import { access, carrierService, one, post, setStage } from '../fixtures/listener-stage.ts'
import { type CommandResult, runCommand } from '../fixtures/run-command.ts'
import { account, startTestService } from '../fixtures/service.ts'

// they wait more than they work
t.jobs = 3

t.test('check finds each kind of drift and ends with 1', async t => {
  const { databaseUrl, carrier, listener, listed } = await setStage(t)
  const service = await startTestService(t, { DATABASE_URL: databaseUrl })
  t.match(await listener('check'), { code: 0 }, 'nothing to compare')
  await listener('register', '--account', account, '--url', service.url)
  t.match(await listener('check'), { code: 0, stdout: /ThingSpace lists what we have/ })
  const found = async () => {
    const { code, stdout } = await listener('check', '--json')
    const drift = JSON.parse(stdout).drift as { kind: string; serviceName: string }[]
    return [code, ...drift.map(({ kind, serviceName }) => `${kind} ${serviceName}`)]
  }
  const [current] = await listed()
  const ours = { username: current?.username ?? '', password: current?.password ?? '' }
  const url = current?.url ?? ''

  carrier.listen({ ...carrierService, url: 'http://127.0.0.1:9/elsewhere', ...ours })
  t.strictSame(await found(), [1, 'url CarrierService'])
  t.match(await listener('check'), {
    code: 1,
    stdout: /url: CarrierService .*127\.0\.0\.1:9\/elsewhere, we registered/,
  })
  carrier.listen({ ...carrierService, url, username: ours.username, password: 'somebody-elses' })
  t.strictSame(await found(), [1, 'credentials CarrierService'])
  carrier.listen({ ...carrierService, url, ...ours })
  carrier.listen({ accountName: account, serviceName: 'NiddService', url: 'http://127.0.0.1:9/nidd' })
  t.strictSame(await found(), [1, 'unknown NiddService'])
  t.match(await listener('check', '--allow', 'NiddService'), { code: 0 })
  t.match((await listener('list')).stdout, /NiddService +not ours +- +- +http:\/\/127\.0\.0\.1:9\/nidd/)
  t.match(await listener('deregister', '--account', account, '--service', 'NiddService'), { stdout: /was not ours/ })
  await createThingSpaceClient({ baseUrl: carrier.url, ...access }).deregisterListener(account, 'CarrierService')
  t.strictSame(await found(), [1, 'missing CarrierService'])

  carrier.settings({ refuse: 1, refuseOn: 'listeners' })
  t.match(await listener('check'), { code: 1, stderr: /listener list was refused/ })
  t.match(await listener('list'), {
    code: 1,
    stdout: /CarrierService/,
    stderr: /what ThingSpace lists .* is not known/,
  })
})

t.test("another program's listener is not replaced by accident, and one of the environment goes on", async t => {
  const { databaseUrl, carrier, listener, env } = await setStage(t)
  const configured = { THINGSPACE_ACCOUNT: account, CALLBACK_USERNAME: 'name', CALLBACK_PASSWORD: 'from-environment' }
  const service = await startTestService(t, { DATABASE_URL: databaseUrl, ...configured })
  carrier.listen({ ...carrierService, url: 'http://127.0.0.1:9/old', username: 'name', password: 'from-environment' })
  const withEnvironment = (...args: string[]) => runCommand('listener', args, { ...env, ...configured })
  t.match(
    await withEnvironment('check'),
    { code: 1, stdout: /^missing: DeviceProfileService [^\n]*\n$/ },
    'no URL of ours',
  )
  t.match(await listener('register', ...one, '--url', service.url), {
    code: 1,
    stderr: /lists CarrierService already, with the URL http:\/\/127\.0\.0\.1:9\/old; --replace/,
  })
  t.match(await listener('register', ...one, '--url', service.url, '--replace'), { code: 0 })
  t.equal(await post(carrier, 1), 200)
  t.equal(await post(carrier, 2, 'previous'), 200, 'the credentials of the environment are taken beside the new ones')
})

t.test('what can not be done is said in a sentence, wrong usage with another exit code', async t => {
  const { listener, env, printed, carrier } = await setStage(t)
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'listener-test-')), 'password')
  await writeFile(file, `${'canary-too-long-'.repeat(3)}\n`)
  const api = `${file}-api`
  await writeFile(api, access.password)
  const register = ['register', '--account', account, '--url', 'https://example.com']
  const cases: [string[], number, RegExp][] = [
    [[], 2, /say what to do/],
    [['remove'], 2, /there is only register, rotate, list/],
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
    [[...register, 'canary-2'], 2, /an argument too many after register/],
    [['rotate', '--account', account], 1, /no listener of .* is registered: register one/],
    [['rotate', ...one], 1, /CarrierService of .* is not registered/],
  ]
  for (const [args, code, stderr] of cases)
    t.match(await listener(...args), { code, stderr, stdout: '' }, args.join(' '))
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
