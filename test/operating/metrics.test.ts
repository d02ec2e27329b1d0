import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startTestService } from '../fixtures/service.ts'

t.test('verdicts, refusals and values that nobody documented are counted', async t => {
  const service = await startTestService(t)
  await service.record('known', [device(1)])
  const known = makeCallback({ requestId: 'known', ...device(1) })
  await service.callback(known)
  await service.callback(known)
  await service.callback(
    makeCallback({ requestId: 'unknown', ...device(2), state: 'Half Asleep', profileRole: 'GUEST' }),
  )
  await service.callback('{"requestId":1}', { service: 'MadeUpService' })
  await service.callback('no JSON')
  t.match(await service.get(`/v1/profiles/${device(2).iccid}`), {
    body: { state: 'HALF_ASLEEP', profileRole: 'GUEST' },
  })
  const { body } = await service.get('/metrics')
  for (const line of [
    'thingspace_callbacks_received_total{service="CarrierService",verdict="applied"} 1',
    'thingspace_callbacks_received_total{service="CarrierService",verdict="repeated"} 1',
    'thingspace_callbacks_received_total{service="CarrierService",verdict="unmatched"} 1',
    'thingspace_callbacks_received_total{service="other",verdict="quarantined"} 1',
    'thingspace_callbacks_refused_total{reason="400"} 1',
    'thingspace_unknown_values_total{field="state"} 1',
    'thingspace_unknown_values_total{field="profileRole"} 1',
    'thingspace_callback_queue_depth 0',
  ]) {
    t.ok(String(body).includes(`${line}\n`), line)
  }
  t.notMatch(body, device(2).iccid)
})

t.test('what an alert asks for is told from the beginning, or its first growth would not be one', async t => {
  const service = await startTestService(t)
  const { body } = await service.get('/metrics')
  for (const line of [
    'thingspace_callbacks_received_total{service="NiddService",verdict="quarantined"} 0',
    'thingspace_callbacks_received_total{service="CarrierService",verdict="applied"} 0',
    'thingspace_callbacks_refused_total{reason="503"} 0',
    'thingspace_job_failures_total{work="overdue"} 0',
    'thingspace_unknown_values_total{field="profileRole"} 0',
  ]) {
    t.ok(String(body).includes(`${line}\n`), line)
  }
})
