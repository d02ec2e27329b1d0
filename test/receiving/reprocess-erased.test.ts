import pg from 'pg'
import t from 'tap'
import { until } from '../fixtures/carrier.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { runCommand, sealKey } from '../fixtures/run-command.ts'
import { type TestService, takeTestService } from '../fixtures/service.ts'

const { iccid } = device(1)
const requestId = 'erased-or-not'

function reprocess(service: TestService, id: string) {
  return service.call('POST', `/v1/callbacks/${id}/reprocess`)
}

t.test('what was erased on request is not read again, and is still known when it is repeated', async t => {
  const service = await takeTestService(t)
  await service.sql("alter table profiles add constraint refuse check (state <> 'BAD') not valid")
  t.teardown(() => service.sql('alter table profiles drop constraint refuse'))
  const message = makeCallback({ requestId, ...device(1), state: 'BAD' })
  const { body: stored } = await service.callback(message)
  t.match(stored, { verdict: 'quarantined' })
  await runCommand('forget', ['--iccid', iccid], { DATABASE_URL: service.databaseUrl, SEAL_KEY: sealKey })

  t.match(await reprocess(service, stored.callbackId), { body: { verdicts: { quarantined: 1 } } })
  t.match(await service.get(`/v1/callbacks/${stored.callbackId}`), {
    body: { verdict: 'quarantined', reason: 'erased on request', requestId },
  })
  t.match(await service.callback(message), { body: { verdict: 'repeated', callbackId: stored.callbackId } })
})

t.test('what is erased while a callback is about to be read again stays erased', async t => {
  const service = await takeTestService(t)
  const { body: stored } = await service.callback(makeCallback({ requestId, ...device(1) }))
  t.match(stored, { verdict: 'unmatched' })
  const holder = new pg.Client({ connectionString: service.databaseUrl })
  await holder.connect()
  try {
    await holder.query('begin')
    await holder.query('select from activations for update')
    const reading = reprocess(service, stored.callbackId)
    await until(
      () =>
        service.sql(
          "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ~ 'activations'",
        ),
      waiting => waiting.length === 1,
    )
    await service.sql('update callbacks set sealed = null, seal_key_id = null')
    await holder.query('commit')
    t.match(await reading, { status: 200 })
  } finally {
    await holder.end()
  }
  t.match(await service.get(`/v1/profiles/${iccid}/credential`), { status: 404 })
})

t.test('one that no key opens stays as it is, and stops no other', async t => {
  const service = await takeTestService(t)
  const { body: damaged } = await service.callback({ requestId: 7, n: 1 })
  await service.callback({ requestId: 7, n: 2 })
  await service.sql('update callbacks set sealed = set_byte(sealed, 30, 255 - get_byte(sealed, 30)) where id = $1', [
    damaged.callbackId,
  ])
  t.match(await service.call('POST', '/v1/callbacks/reprocess', { body: { verdict: 'quarantined' } }), {
    status: 200,
    body: { matched: 2, reprocessed: 2, verdicts: { quarantined: 2 } },
  })
  t.match(await reprocess(service, damaged.callbackId), { status: 200, body: { verdicts: { quarantined: 1 } } })
})
