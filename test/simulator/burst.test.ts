import t from 'tap'
import { makeDevices } from '../../src/simulator/make-identifiers.ts'
import { account, startAll } from './callback-receiver.ts'

// Some 3 s on an idle machine of two cores; a busy one may take longer without being wrong.
t.setTimeout(100_000)

t.test('burst: 10,000 callbacks at once go out in a few seconds, each once', async t => {
  const { client, received, simulator } = await startAll(t, { callbackSpreadMs: 0, retryUnansweredAfterMs: 0 })
  const started = performance.now()
  await client.activate({ accountName: account, servicePlan: 'PLAN', devices: makeDevices(3, 10_000) })
  await simulator.idle()
  t.comment(`${Math.round(performance.now() - started)} ms`)
  t.equal(received.length, 10_000)
  t.equal(new Set(received.map(({ body }) => JSON.stringify(body.deviceIds))).size, 10_000)
  t.match(simulator.state().callbacks, { ok: 10_000, waiting: 0 })
})
