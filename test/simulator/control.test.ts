import { spawn } from 'node:child_process'
import t from 'tap'
import { makeDevices, makeEid, makeIccid, makeImei } from '../../src/simulator/make-identifiers.ts'
import { startSimulator } from '../../src/simulator/start-simulator.ts'
import { childEnvironment } from '../fixtures/child-environment.ts'
import { account, sleep, startAll } from './callback-receiver.ts'

const json = async (method: string, url: string, body?: unknown) => {
  const init =
    body === undefined
      ? { method }
      : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const answer = await fetch(url, init)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

t.test('it is steered over HTTP', async t => {
  const { simulator, received } = await startAll(t)
  const at = (path: string) => `${simulator.url}/simulator/${path}`

  t.match(await json('PUT', at('settings'), { never: 0.5, shuffled: true }), {
    status: 200,
    body: { never: 0.5, twice: 0 },
  })
  t.match(await json('GET', at('settings')), { body: { never: 0.5, shuffled: true } })
  for (const wrong of [{ never: 2 }, { never: '1' }, { nevr: 1 }, { shape: 'x' }, [], 7]) {
    t.match(
      await json('PUT', at('settings'), wrong),
      { status: 400, body: { errorCode: '400' } },
      JSON.stringify(wrong),
    )
  }
  t.match(simulator.settings(), { never: 0.5, shuffled: true })
  simulator.settings({ never: 0 })

  const burst = await json('POST', at('burst'), { accountName: account, count: 3 })
  await simulator.idle()
  t.equal(received.length, 3)
  t.equal(received[0]?.body.requestId, burst.body.requestId)
  t.match(await json('GET', at(`ledger?requestId=${burst.body.requestId}&outcome=ok&limit=2`)), {
    body: { items: [{ outcome: 'ok', attempts: [{ status: 200 }] }, {}], counts: { ok: 3 } },
  })
  t.match(await json('GET', at('ledger?limt=2')), { status: 400 })

  const sent = await json('POST', at('send-callback'), {
    accountName: account,
    serviceName: 'CarrierService',
    body: { requestId: 'by-hand', somethingNewResponse: { x: 1 } },
  })
  t.match(sent, { status: 200, body: { outcome: 'ok' } })
  t.match(received.at(-1)?.body, {
    username: 'listener',
    password: 'password-1',
    requestId: 'by-hand',
    callbackCount: 1,
  })
  await json('POST', at('send-callback'), {
    accountName: account,
    serviceName: 'CarrierService',
    body: { requestId: 'by-hand' },
    credentials: 'none',
  })
  t.strictSame(Object.keys(received.at(-1)?.body ?? {}), ['requestId', 'callbackCount', 'maxCallbackThreshold'])

  t.match(
    await json('POST', at('listeners'), { accountName: 'b', serviceName: 'CarrierService', url: 'http://192.0.2.1' }),
    { status: 400 },
  )
  t.match(await json('GET', at('state')), { body: { seed: 11, requests: 1, callbacks: { ok: 5 } } })
})

t.test('its page needs nothing from elsewhere', async t => {
  const { simulator } = await startAll(t)
  const page = await fetch(simulator.url)
  t.match(page.headers.get('content-type'), 'text/html')
  const text = await page.text()
  t.match(text, 'Simulated ThingSpace')
  t.notMatch(text, /(src|href)=|https?:\/\//)
})

t.test('neither the state nor the log shows a secret', async t => {
  const { simulator, client } = await startAll(t)
  await client.activate({ accountName: account, devices: makeDevices(3, 1) })
  await simulator.idle()
  const shown = JSON.stringify([simulator.state(), simulator.asked(), simulator.ledger()])
  t.notMatch(shown, 'password-1')
})

t.test('its identifiers pass their checks and do not repeat', async t => {
  const luhn = (digits: string) =>
    [...digits].reverse().reduce((sum, digit, index) => {
      const value = Number(digit) * (index % 2 === 1 ? 2 : 1)
      return sum + (value > 9 ? value - 9 : value)
    }, 0) % 10
  for (const serial of [0, 1, 7, 9999, 900_000_001]) {
    for (const seed of [0, 3, 999_999]) {
      t.match(makeIccid(seed, serial), /^\d{20}$/)
      t.match(makeImei(seed, serial), /^\d{15}$/)
      t.match(makeEid(seed, serial), /^\d{32}$/)
      t.equal(luhn(makeIccid(seed, serial)), 0)
      t.equal(luhn(makeImei(seed, serial)), 0)
      t.equal(BigInt(makeEid(seed, serial)) % 97n, 1n)
    }
  }
  t.equal(new Set(makeDevices(3, 10_000).flatMap(({ deviceIds }) => deviceIds.map(({ id }) => id))).size, 30_000)
})

t.test('closing it breaks off what is under way, and stops what is still to come', async t => {
  const { simulator, client, received } = await startAll(t, {}, () => new Promise<number>(() => {}))
  const five = { accountName: account, devices: makeDevices(3, 5) }
  await client.activate(five)
  while (received.length < 5) await sleep(5)
  simulator.settings({ callbackAfterMs: 300 })
  await client.activate(five)
  const idle = simulator.idle()
  await simulator.close()
  await idle
  await sleep(400)
  t.equal(received.length, 5)
  t.match(simulator.ledger(), Array(5).fill({ attempts: [{ outcome: 'unknown', status: null }] }))
})

t.test('without a seed it picks one and says it', async t => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  t.type(simulator.seed, 'number')
  t.equal(simulator.state().seed, simulator.seed)
})

t.test('npm run simulator says where it is, and leaves on SIGTERM', async t => {
  const command = new URL('../../src/commands/simulator.ts', import.meta.url).pathname
  const run = (env: Record<string, string>) => {
    const child = spawn(process.execPath, [command], { env: childEnvironment(env) })
    t.teardown(() => child.kill('SIGKILL'))
    let text = ''
    child.stdout.on('data', chunk => (text += chunk))
    child.stderr.on('data', chunk => (text += chunk))
    return { child, said: () => text, left: new Promise(resolve => child.on('close', code => resolve(code))) }
  }
  const { child, said, left } = run({
    SIMULATOR_PORT: '0',
    SIMULATOR_SEED: '42',
    SIMULATOR_CALLBACK_URL: 'http://127.0.0.1:9/x',
    SIMULATOR_CALLBACK_PASSWORD: 'listener-secret',
  })
  while (!said().includes('go to')) await sleep(20)
  t.match(said(), /at http:\/\/127\.0\.0\.1:\d+\/ +seed 42/)
  t.match(said(), /THINGSPACE_BASE_URL=http:\/\/127\.0\.0\.1:\d+ /)
  t.match(said(), 'Callbacks of 0000123456-00001 CarrierService go to http://127.0.0.1:9/x')
  t.notMatch(said(), 'listener-secret')
  child.kill('SIGTERM')
  t.equal(await left, 0)

  for (const [env, why] of [
    [{ SIMULATOR_PORT: 'x' }, /SIMULATOR_PORT must be/],
    [{ SIMULATOR_PORT: '0', SIMULATOR_CALLBACK_URL: 'http://192.0.2.1/' }, /loopback addresses only/],
  ] as const) {
    const failing = run(env)
    t.equal(await failing.left, 1)
    t.match(failing.said(), why)
  }
})
