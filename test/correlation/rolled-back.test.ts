import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { type TestService, takeTestService } from '../fixtures/service.ts'

t.test('what a refused transaction had still to write is never written', async t => {
  const service = await takeTestService(t)
  await service.sql("alter table profiles add constraint refuse_one check (state <> 'REFUSED')")
  t.teardown(() => service.sql('alter table profiles drop constraint refuse_one'))
  await refuse(service, 40, { requestId: 'not-recorded', ...device(1) })
  t.strictSame(await service.sql('select * from changes'), [], 'no change is told')
  t.strictSame(await service.sql('select * from results'), [], 'nothing counts')
})

t.test('what a refused transaction had still to count is never counted', async t => {
  const service = await takeTestService(t)
  await service.record('recorded', [device(1), device(2)])
  await service.callback(makeCallback({ requestId: 'recorded', ...device(1), status: 'warning' }))
  const before = await service.get('/v1/activations/recorded')
  await service.sql("alter table profiles add constraint refuse_one check (state <> 'REFUSED') not valid")
  t.teardown(() => service.sql('alter table profiles drop constraint refuse_one'))
  const bothOf = (state: string) => {
    const one = makeCallback({ requestId: 'recorded', ...device(1), state: 'ACTIVE' })
    const other = makeCallback({ requestId: 'recorded', ...device(2), state })
    return { ...one, deviceResponse: { deviceProfileResponse: [profileIn(one), profileIn(other)] } }
  }
  for (let note = 0; note < 40; note += 1) {
    t.match(await service.callback({ ...bothOf('REFUSED'), note }), { body: { verdict: 'quarantined' } })
  }
  t.strictSame((await service.get('/v1/activations/recorded')).body.counts, before.body.counts)
})

async function refuse(service: TestService, times: number, about: object): Promise<void> {
  const refused = makeCallback({ ...about, state: 'REFUSED' })
  for (let note = 0; note < times; note += 1) await service.callback({ ...refused, note })
}

function profileIn(callback: Record<string, unknown>): unknown {
  return (callback.deviceResponse as { deviceProfileResponse: unknown }).deviceProfileResponse
}
