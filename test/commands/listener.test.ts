import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { until } from '../fixtures/carrier.ts'
import { listenUntilEnd, startGateway } from '../fixtures/gateway.ts'
import { access, carrierService, one, post, setStage } from '../fixtures/listener-stage.ts'
import { makeCallback } from '../fixtures/make-callback.ts'
import { runCommand } from '../fixtures/run-command.ts'
import { account, startTestService, type TestService } from '../fixtures/service.ts'

// they wait more than they work
t.jobs = 3

/** What stands before several replicas: each request goes to the next one. */
function startBalancer(t: Test, replicas: readonly TestService[]): Promise<string> {
  let n = 0
  const server = createServer((incoming, outgoing) => {
    const replica = replicas[n++ % replicas.length]?.url ?? ''
    const { method, headers, url } = incoming
    const forward = httpRequest(`${replica}${url}`, { method, headers }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    forward.on('error', () => outgoing.destroy())
    incoming.pipe(forward)
  })
  return listenUntilEnd(t, server)
}

t.test('registered, its callbacks are taken; listed without passwords; deregistered, they are for a day', async t => {
  const { databaseUrl, carrier, listener, listed, printed } = await setStage(t)
  const service = await startTestService(t, { DATABASE_URL: databaseUrl })
  const registered = await listener('register', '--account', account, '--url', service.url)
  t.match(registered, {
    code: 0,
    stderr: '',
    lines: [/3 s to see/, /^CarrierService of .*: registered, http/, /^DeviceProfileService of .*: registered/],
  })
  const atCarrier = await listed()
  t.match(atCarrier, [
    { serviceName: 'CarrierService', url: `${service.url}/callbacks/${account}/CarrierService` },
    { serviceName: 'DeviceProfileService', username: `listener-${account}`, password: /^[\w-]{40}$/ },
  ])
  t.equal(await post(carrier, 1), 200)
  t.equal(await post(carrier, 2, 'none'), 403)
  t.match(await service.callback(makeCallback()), { status: 403 }, 'the try-out mode has ended')

  const list = JSON.parse((await listener('list', '--json')).stdout)
  t.match(list.items, [
    { ...carrierService, state: 'registered', registeredAt: /Z$/, previousUntil: null },
    { serviceName: 'DeviceProfileService', state: 'registered' },
  ])
  t.equal(list.items[0].carrierUrl, list.items[0].url)
  t.match((await listener('list', '--account', account)).lines, [/^ACCOUNT/, /registered .* same /, /registered/])
  t.match(await listener('check', '--json'), { code: 0, stdout: '{"drift":[]}\n' })
  t.match(await listener('register', ...one, '--url', service.url), {
    code: 1,
    stderr: /is registered already: rotate/,
  })

  const credentials = atCarrier[0] ?? { username: '', password: '' }
  const late = makeCallback({ username: credentials.username ?? '', password: credentials.password ?? '' })
  t.match(await listener('deregister', ...one), { code: 0, stdout: /deregistered; .* accepted for another 24 hours/ })
  t.strictSame(
    (await listed()).map(({ serviceName }) => serviceName),
    ['DeviceProfileService'],
  )
  await sleep(2_000)
  t.match(await service.callback(late), { status: 200 }, 'what was on its way is taken')
  await service.sql(`update listener_credentials set accepted_until = now() where service_name = 'CarrierService'`)
  await until(
    () => service.callback(late),
    ({ status }) => status === 403,
  )
  t.match(await listener('deregister', ...one), { code: 0, stdout: /there is none/ })
  t.match((await listener('list')).lines, [/^ACCOUNT/, /CarrierService +deregistered .* not listed/, / registered /])

  const tables = await service.sql(
    'select l::text as row from listeners l union all select c::text from listener_credentials c',
  )
  const kept = JSON.stringify(tables)
  for (const secret of [...Object.values(access), ...atCarrier.map(({ password }) => password ?? '')]) {
    t.notOk(printed().includes(secret), 'no secret was printed')
    t.notOk(kept.includes(secret), 'none is kept in clear')
  }
})

t.test(
  'a rotation under continuous callbacks refuses none, on any replica, with the old password or the new',
  async t => {
    const { databaseUrl, carrier, listener, listed } = await setStage(t)
    const replicas = [
      await startTestService(t, { DATABASE_URL: databaseUrl }),
      await startTestService(t, { DATABASE_URL: databaseUrl }),
    ] as const
    const url = await startBalancer(t, replicas)
    const registered = await listener('register', ...one, '--url', url)
    t.match(registered, { code: 0 })
    const [before] = await listed()
    carrier.settings({ oldPassword: 0.5 })

    const statuses = new Map<string, number>()
    let posting = true
    let posted = 0
    const postAll = async () => {
      while (posting) {
        const [attempt] = (
          await carrier.send({ ...carrierService, body: makeCallback({ requestId: `r-${++posted}` }) })
        ).attempts
        const key = `${attempt?.credentials} ${attempt?.status}`
        statuses.set(key, (statuses.get(key) ?? 0) + 1)
        await sleep(5)
      }
    }
    const posters = [postAll(), postAll()]
    const rotated = await listener('rotate', ...one, '--username', 'another-name', '--json')
    t.match(rotated, { code: 0, stderr: '' })
    t.match(JSON.parse(rotated.stdout), { listeners: [{ ...carrierService, username: 'another-name', done: true }] })
    await sleep(1_500)
    posting = false
    await Promise.all(posters)
    // A machine that is too busy to store one at once says 503; that is no refusal.
    const answers = [...statuses.keys()].filter(key => !key.endsWith(' 503'))
    t.strictSame(answers.sort(), ['current 200', 'previous 200'], JSON.stringify([...statuses]))
    const [after] = await listed()
    t.match(after, { username: 'another-name', url: before?.url ?? '' })
    t.not(after?.password, before?.password)

    const [row] = await replicas[0].sql(`
      select extract(epoch from max(accepted_until) - now()) / 3600 as hours,
        extract(epoch from max(created_at)) * 1000 as accepted_at from listener_credentials`)
    t.ok(Math.abs(Number(row.hours) - 24) < 0.1, 'the old ones for 24 hours')
    const told = Date.parse(carrier.state().listeners[0]?.rotatedAt ?? '') - Number(row.accepted_at)
    t.ok(told > 2_000, `ThingSpace was told ${Math.round(told)} ms after all replicas could see them`)
  },
)

t.test(
  'a registration that ThingSpace refuses changes nothing; one whose answer is lost leaves both accepted',
  async t => {
    const { databaseUrl, carrier, env, listener, listed, printed } = await setStage(t)
    const service = await startTestService(t, { DATABASE_URL: databaseUrl })
    await listener('register', ...one, '--url', service.url)
    carrier.settings({ refuse: 1, refuseOn: 'listeners' })
    const refused = await listener('rotate', ...one)
    t.match(refused, { code: 1, stderr: /CarrierService of .* was refused.*\n +nothing was changed/ })
    carrier.settings({ refuse: 0 })
    t.match(await service.sql('select count(*)::int as credentials from listener_credentials'), [{ credentials: 1 }])
    t.equal(await post(carrier, 1), 200)

    const file = path.join(await mkdtemp(path.join(tmpdir(), 'listener-test-')), 'password')
    await writeFile(file, 'a password of mine\n')
    const lost = await startLosingCarrier(t, carrier.url)
    const unsure = await runCommand('listener', ['rotate', ...one, '--password-file', file], {
      ...env,
      THINGSPACE_BASE_URL: lost,
    })
    t.match(unsure, { code: 1, stderr: /may have it all the same.* both accepted; rotate settles it/ })
    t.notMatch(unsure.stdout + unsure.stderr, /a password of mine/)
    t.match(await service.sql('select count(*)::int as credentials from listener_credentials'), [{ credentials: 2 }])
    t.match(await listed(), [{ password: 'a password of mine' }], 'it had taken it')
    t.equal(await post(carrier, 2), 200)
    t.equal(await post(carrier, 3, 'previous'), 200)
    t.match(await listener('check'), { code: 0 }, 'and what it has is accepted here')

    t.match(await listener('rotate', ...one), { code: 0 })
    t.match(
      await service.sql('select count(*)::int as ending from listener_credentials where accepted_until is not null'),
      [{ ending: 2 }],
      'the next rotation settles it',
    )
    t.notMatch(printed(), /a password of mine/)
  },
)

/** The same carrier, behind a link that loses every answer about listeners. */
function startLosingCarrier(t: Test, carrierUrl: string): Promise<string> {
  return startGateway(t, carrierUrl, {
    isOurs: ({ url }) => url?.includes('/callbacks/') === true,
    isForwarded: true,
    answer: response => response.destroy(),
  })
}
