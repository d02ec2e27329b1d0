import t, { type Test } from 'tap'
import { access, until } from '../fixtures/carrier.ts'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { type DeviceIds, startTestService } from '../fixtures/service.ts'
import { json, startCarrier } from '../thingspace/client-carrier.ts'

const requestId = 'asked-about-1'

/** An overdue activation of two devices, and a carrier that says of it what the test says. */
async function startAsking(t: Test, subRequests: object[], devices: DeviceIds[] = [device(1), device(2)]) {
  const carrier = await startCarrier(t)
  const says = (subRequests: object[]) => {
    carrier.answers.action = json(200, { requestId, status: 'Success', subRequests })
  }
  says(subRequests)
  const service = await startTestService(t, { ...access, THINGSPACE_BASE_URL: carrier.baseUrl, EXPECT_WITHIN: '1s' })
  await service.record(requestId, devices, { submittedAt: '2026-01-01T00:00:00Z' })
  const polled = async (times: number) => {
    const [row] = await until(
      () => service.sql('select polls, outcome, stopped_because from polls where polls >= $1', [times]),
      rows => rows.length > 0,
    )
    return row
  }
  return { carrier, service, says, polled, askAgain: () => service.sql('update polls set next_poll_at = now()') }
}

const part = (n: number, status: string) => ({ ids: [{ kind: 'iccid', id: device(n).iccid }], status })

t.test('while a target waits it is asked again, also when the carrier has spoken of some only', async t => {
  const { service, says, polled, askAgain } = await startAsking(t, [part(1, 'Success')])
  t.match(await polled(1), { stopped_because: null })
  t.match(await service.get(`/v1/activations/${requestId}`), { body: { counts: { succeeded: 1, pending: 1 } } })
  says([part(1, 'Success'), part(2, 'Failed')])
  await askAgain()
  t.match(await polled(2), { stopped_because: 'settled' })
  t.match(await service.get(`/v1/activations/${requestId}`), { body: { status: 'mixed' } })
})

t.test('a device whose profiles have different results has one, however often it is asked', async t => {
  const { eid, iccid } = device(1)
  const profile = (id: string, status: string) => ({
    ids: [
      { kind: 'eid', id: eid },
      { kind: 'iccid', id },
    ],
    status,
  })
  const [one, other] = [iccid, device(3).iccid]
  const devices = [{ eid }, { eid: device(2).eid }]
  const said = [profile(one, 'Failed'), profile(other, 'Success')]
  const { service, says, polled, askAgain } = await startAsking(t, said, devices)
  const changes = async (kind: string) =>
    (await service.get(`/v1/changes?requestId=${requestId}`)).body.items.filter(
      (change: { kind: string }) => change.kind === kind,
    )
  const resultOf = async (id: string) => (await service.get(`/v1/profiles/${id}`)).body.lastResult.result
  for (let asked = 1; asked < 4; asked += 1) {
    await polled(asked)
    t.equal((await changes('result')).length, 1, `asked ${asked} times`)
    await askAgain()
  }
  t.strictSame([await resultOf(one), await resultOf(other)], ['failed', 'succeeded'])
  t.equal((await service.sql("select from results where source = 'poll'")).length, 2, 'and nothing is kept twice')
  const { length: before } = await changes('profile')
  says([profile(one, 'Success'), profile(other, 'Success')])
  await askAgain()
  await until(
    () => resultOf(one),
    result => result === 'succeeded',
  )
  t.equal((await changes('profile')).length, before + 1)
  t.equal((await changes('result')).length, 1)
})

t.test('what the carrier says of a number alone makes no device of its own', async t => {
  const number = { ids: [{ kind: 'mdn', id: '5555550101' }], status: 'Success' }
  const { service, polled, askAgain } = await startAsking(t, [number, { ids: [], status: 'Success' }])
  t.match(await polled(1), { stopped_because: null })
  await askAgain()
  t.match(await polled(2), { stopped_because: null })
  t.match(await service.get(`/v1/activations/${requestId}`), { body: { counts: { targets: 2, pending: 2 } } })
})

t.test('what becomes contradictory while the carrier is asked has it asked anew', async t => {
  const { carrier, service } = await startAsking(t, [part(1, 'Pending'), part(2, 'Pending')])
  const { action: pending } = carrier.answers
  let release = () => {}
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  carrier.answers.action = (...told) => void released.then(() => pending?.(...told))
  const asked = (times: number) =>
    until(
      () => carrier.called('/status'),
      calls => calls === times,
    )
  await asked(1)
  for (const n of [1, 2]) await service.callback(makeCallback({ requestId, ...device(n) }))
  await service.callback(makeFault({ requestId, ...device(1) }))
  await until(
    () => service.sql('select from activations where overdue'),
    rows => rows.length === 1,
  )
  carrier.answers.action = json(200, {
    requestId,
    status: 'Success',
    subRequests: [part(1, 'Success'), part(2, 'Success')],
  })
  release()
  await asked(2)
  await until(
    () => service.get(`/v1/activations/${requestId}`),
    ({ body }) => body.status === 'succeeded',
  )
})

t.test('an entry without its id, or with a number for one, keeps nothing else from being told', async t => {
  const { eid } = device(1)
  const odd = [{ kind: 'mdn' }, { kind: 'iccid', id: 8.9148e19 }, { kind: 'eid', id: eid }]
  const { service, polled } = await startAsking(t, [{ ids: odd, status: 'Success' }, {}, part(2, 'Success')])
  t.match(await polled(1), { outcome: 'settled' })
  const { body } = await service.get(`/v1/activations/${requestId}`)
  t.match(body, { status: 'succeeded', counts: { targets: 2 } })
})

t.test('a part that names several devices is told of each', async t => {
  const ids = [1, 2].map(n => ({ kind: 'Iccid', id: device(n).iccid }))
  const { service, polled } = await startAsking(t, [{ ids, status: 'SUCCESS' }])
  t.match(await polled(1), { outcome: 'settled' })
  const { body } = await service.get(`/v1/activations/${requestId}`)
  t.match(body, { status: 'succeeded', counts: { targets: 2 } })
})
