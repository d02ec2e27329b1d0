import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { type TestService, takeTestService } from '../fixtures/service.ts'

const { eid, imei } = device(1)

t.test('a callback about two profiles of one device is one callback of the device that was asked for', async t => {
  const service = await takeTestService(t)
  await service.record('before', [{ eid, imei }])
  await service.callback(twoProfiles('before'))
  await service.callback(twoProfiles('after'))
  await service.record('after', [{ eid, imei }])
  for (const requestId of ['before', 'after']) {
    t.match(await targets(service, requestId), [{ result: 'succeeded', callbacks: 1 }], requestId)
  }
  await service.callback({ ...twoProfiles('before'), another: true })
  t.match(await targets(service, 'before'), [{ callbacks: 2 }])
})

function twoProfiles(requestId: string): object {
  const responses = [1, 2].map(n => {
    const { deviceResponse } = makeCallback({ requestId, eid, imei, iccid: device(n).iccid })
    return (deviceResponse as { deviceProfileResponse: unknown }).deviceProfileResponse
  })
  return { ...makeCallback({ requestId }), deviceResponse: { deviceProfileResponse: responses } }
}

async function targets(service: TestService, requestId: string) {
  return (await service.get(`/v1/activations/${requestId}/targets`)).body.items
}
