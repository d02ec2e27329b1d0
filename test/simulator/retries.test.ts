import t from 'tap'
import type { LedgerEntry } from '../../src/simulator/ledger.ts'
import { makeDevices } from '../../src/simulator/make-identifiers.ts'
import { account, sleep, startAll } from './callback-receiver.ts'

const one = { accountName: account, devices: makeDevices(3, 1) }
/** Between the attempts of the first message, by the sender's clock. */
const gaps = (ledger: LedgerEntry[]): number[] => {
  const times = (ledger[0]?.attempts ?? []).map(({ sentAt }) => Date.parse(sentAt))
  return times.slice(1).map((time, index) => time - (times[index] ?? 0))
}

t.test('unanswered for 4 s: it comes again beside the first, once', async t => {
  const { client, received, simulator } = await startAll(t, { timeScale: 0.05 }, async () => {
    await sleep(600)
    return 200
  })
  await client.activate(one)
  await simulator.idle()
  t.strictSame(
    received.map(({ body }) => body.callbackCount),
    [1, 2],
  )
  const [gap = 0] = gaps(simulator.ledger())
  t.ok(gap >= 195 && gap < 30000, `after ${gap} ms of 4 s scaled to 200`)
  t.equal(simulator.ledger()[0]?.outcome, 'ok')
})

t.test('documented: a refused callback comes three more times, 5 minutes apart, and then no more', async t => {
  const { client, received, simulator } = await startAll(t, { timeScale: 0.0005, retryUnansweredAfterMs: 0 }, () => 403)
  await client.activate(one)
  await simulator.idle()
  t.strictSame(
    received.map(({ body }) => body.callbackCount),
    [1, 2, 3, 4],
  )
  for (const gap of gaps(simulator.ledger())) t.ok(gap >= 145 && gap < 30000, `${gap} ms of 5 minutes scaled to 150`)
  t.match(simulator.ledger(), [{ outcome: 'refused', attempts: Array(4).fill({ status: 403, outcome: 'refused' }) }])
})

t.test('documented: it stops as soon as one is acknowledged', async t => {
  const flaky = { timeScale: 0.0001, retryUnansweredAfterMs: 0 }
  const { client, received, simulator } = await startAll(t, flaky, (_, nth) => (nth < 3 ? 503 : 200))
  await client.activate(one)
  await simulator.idle()
  t.equal(received.length, 3)
  t.match(simulator.ledger(), [
    { outcome: 'ok', attempts: [{ outcome: 'unknown' }, { outcome: 'unknown' }, { outcome: 'ok' }] },
  ])
})

t.test('observed: a refused callback comes once more after a second, and then no more', async t => {
  const { client, received, simulator } = await startAll(t, { retryRefused: 'observed' }, () => 503)
  await client.activate(one)
  await simulator.idle()
  t.equal(received.length, 2)
  const [gap = 0] = gaps(simulator.ledger())
  t.ok(gap > 1200 && gap < 30000, `${gap} ms`)
})

t.test('never: a refused callback is lost', async t => {
  const { client, received, simulator } = await startAll(t, { retryRefused: 'never' }, () => 403)
  await client.activate(one)
  await simulator.idle()
  t.equal(received.length, 1)
  t.equal(simulator.ledger()[0]?.outcome, 'refused')
})

t.test('a broken connection, a 5xx and no answer at all are of unknown outcome', async t => {
  for (const status of [0, 500, 503]) {
    const { client, simulator } = await startAll(t, { retryRefused: 'never' }, () => status)
    await client.activate(one)
    await simulator.idle()
    t.match(simulator.ledger(), [{ outcome: 'unknown', attempts: [{ status: status || null }] }], `${status}`)
  }
  const silent = { retryRefused: 'never', giveUpAfterMs: 100, retryUnansweredAfterMs: 0 } as const
  const { client, simulator } = await startAll(t, silent, () => new Promise<number>(() => {}))
  await client.activate(one)
  await simulator.idle()
  t.match(simulator.ledger(), [{ outcome: 'unknown', attempts: [{ status: null }] }])
})

t.test('a listener that goes away in between gets nothing more', async t => {
  const { client, received, simulator } = await startAll(t, { timeScale: 0.005, retryUnansweredAfterMs: 0 }, () => 403)
  await client.activate(one)
  while (received.length === 0) await sleep(5)
  await client.deregisterListener(account, 'CarrierService')
  await simulator.idle()
  t.equal(received.length, 1)
})
