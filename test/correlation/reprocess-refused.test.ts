import t from 'tap'
import { crashesServer } from '../../src/receiving/deadly-callbacks.ts'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { takeTestService } from '../fixtures/service.ts'

t.test('a callback that still can not be applied stays as it is, and stops no other', async t => {
  const service = await takeTestService(t)
  const requestId = 'half-mended'
  await service.sql("alter table profiles add constraint refuse check (state not in ('BAD', 'WORSE')) not valid")
  for (const [n, state] of ['WORSE', 'BAD', 'WORSE'].entries()) {
    const answer = await service.callback(makeCallback({ requestId, ...device(n), state }))
    t.match(answer, { status: 200, body: { verdict: 'quarantined' } })
  }
  await service.sql('alter table profiles drop constraint refuse')
  await service.sql("alter table profiles add constraint refuse check (state <> 'WORSE') not valid")
  t.teardown(() => service.sql('alter table profiles drop constraint refuse'))
  t.match(await service.call('POST', '/v1/callbacks/reprocess', { body: { verdict: 'quarantined' } }), {
    status: 200,
    body: { matched: 3, reprocessed: 3, verdicts: { quarantined: 2, unmatched: 1 } },
  })
  const [{ id }] = await service.sql("select id from callbacks where verdict = 'quarantined' order by id")
  t.match(await service.call('POST', `/v1/callbacks/${id}/reprocess`), {
    status: 200,
    body: { matched: 1, verdicts: { quarantined: 1 } },
  })
  t.strictSame(await service.sql('select verdict, count(*)::int from callbacks group by 1 order by 1'), [
    { verdict: 'quarantined', count: 2 },
    { verdict: 'unmatched', count: 1 },
  ])
})

t.test('one that came again since it can be read has had its effect, and stops no other', async t => {
  const service = await takeTestService(t)
  await service.callback(makeFault({ requestId: 'came-again', ...device(1) }))
  // As an older version would have left it, which did not find its requestId.
  await service.sql(`
    insert into callbacks (id, account_name, service_name, fingerprint, verdict, reason, received_at, last_seen_at, body)
    select gen_random_uuid(), account_name, service_name, fingerprint, 'quarantined', 'older',
      received_at - interval '1 hour', last_seen_at, body from callbacks`)
  t.match(await service.call('POST', '/v1/callbacks/reprocess', { body: {} }), {
    status: 200,
    body: { matched: 2, verdicts: { quarantined: 1, unmatched: 1 } },
  })
  t.match(await service.sql("select evidence->>'faults' as faults from profiles"), [{ faults: '1' }])
})

t.test('one that crashed the server is read again only when it is named', async t => {
  const service = await takeTestService(t)
  for (const n of [1, 2]) await service.callback(makeCallback({ requestId: 'deadly', ...device(n) }))
  await service.sql("update callbacks set verdict = 'quarantined'")
  await service.sql('update callbacks set reason = $1 where id = (select min(id::text)::uuid from callbacks)', [
    crashesServer,
  ])
  const [{ id }] = await service.sql('select id from callbacks where reason is not null')
  const among = await service.call('POST', '/v1/callbacks/reprocess', { body: { verdict: 'quarantined' } })
  t.match(among, { status: 200, body: { matched: 2, reprocessed: 1, verdicts: { unmatched: 1 } } })
  const named = await service.call('POST', `/v1/callbacks/${id}/reprocess`)
  t.match(named, { status: 200, body: { matched: 1, reprocessed: 1, verdicts: { unmatched: 1 } } })
})
