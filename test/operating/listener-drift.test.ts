import { Registry } from 'prom-client'
import t from 'tap'
import { listenerDriftGauge } from '../../src/operating/listener-drift.ts'
import { startCarrier, startSendingService, until } from '../fixtures/carrier.ts'

t.test(
  'what a replica has found of the listeners is told until it is too old, and again once it looks again',
  async t => {
    const registry = new Registry()
    let clock = 5_000
    const drift = listenerDriftGauge([registry], () => clock)
    const told = async () => (await registry.metrics()).split('\n').filter(line => line.startsWith('thingspace'))
    t.strictSame(await told(), [], 'nothing, before it has looked')
    const counts = new Map([
      ['url', 1],
      ['missing', 0],
    ])
    const both = ['thingspace_listener_drift{kind="url"} 1', 'thingspace_listener_drift{kind="missing"} 0']
    drift.set(counts, 1_000)
    t.strictSame(await told(), both)
    clock += 999
    t.strictSame(await told(), both)
    clock += 1
    t.strictSame(await told(), [], 'another replica may have looked meanwhile')
    drift.set(counts, 1_000)
    t.strictSame(await told(), both)
  },
)

t.test('what the service has found of its listeners is in its metrics', async t => {
  const service = await startSendingService(t, await startCarrier(t))
  await until(
    () => service.get('/metrics'),
    ({ body }) => /^thingspace_listener_drift\{kind="missing"\} 0$/m.test(body),
  )
})
