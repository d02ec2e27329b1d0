import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService } from '../fixtures/service.ts'

t.test('while its tables are not there, whoever asks, records or calls back is told to come again', async t => {
  const service = await startTestService(t)
  await service.sql('alter table profiles rename to elsewhere')
  await service.sql('alter table activations rename to elsewhere_too')
  const devices = [{ deviceIds: [{ kind: 'iccid', id: device(1).iccid }] }]
  const answers = [
    await service.call('PUT', '/v1/activations/too-early', { body: { accountName: account, devices } }),
    await service.get(`/v1/profiles/${device(1).iccid}`),
    await service.get('/v1/summary'),
    await service.callback(makeCallback(device(1)), { once: true }),
  ]
  for (const { status, headers, body } of answers) {
    t.match({ status, body }, { status: 503, body: { errorCode: '503' } })
    t.match(headers.get('retry-after'), /^\d+$/)
  }
  await service.sql('alter table elsewhere_too rename to activations')
  await service.sql('alter table elsewhere rename to profiles')
  t.match(await service.callback(makeCallback(device(1))), { status: 200 })
})
