import t from 'tap'
import { createThingSpaceClient } from '../../src/thingspace/client.ts'
import { access, carrierService, one, post, setStage } from '../fixtures/listener-stage.ts'
import { runCommand } from '../fixtures/run-command.ts'
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

t.test('what ThingSpace took and could not be confirmed here is not called unchanged', async t => {
  const { databaseUrl, carrier, listener } = await setStage(t)
  const service = await startTestService(t, { DATABASE_URL: databaseUrl })
  await listener('register', ...one, '--url', service.url)
  await service.sql(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$`)
  await service.sql(`
    create trigger refuse before update of confirmed_at on listener_credentials execute function refuse()`)
  const rotated = await listener('rotate', ...one)
  t.match(rotated, { code: 1, stderr: /ThingSpace may have it all the same.* rotate settles it/ })
  t.notMatch(rotated.stderr, /nothing was changed/)
  t.equal(await post(carrier, 1), 200)
})
