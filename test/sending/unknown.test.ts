import t from 'tap'
import { access, requestFor, startCarrier, startSendingService, until } from '../fixtures/carrier.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { lookForUnanswered, makeSentOlder, makeUnclaimedOlder } from '../fixtures/make-older.ts'
import { startServerProcess } from '../fixtures/server-process.ts'
import { account, send as sendTo, takeTestService } from '../fixtures/service.ts'

t.test('a lost answer is unknown, never sent again, and settled by its callbacks', async t => {
  const carrier = await startCarrier(t, { settings: { loseAnswer: 1, callbackAfterMs: 1_500 } })
  const service = await startSendingService(t, carrier)
  const send = () =>
    service.call('POST', '/v1/activations', { body: requestFor(1, 2), headers: { 'idempotency-key': 'lost' } })
  const lost = await send()
  const { requestId: name } = lost.body
  t.match(lost, { status: 202, body: { requestId: /^submission-/, status: 'unknown', counts: { pending: 2 } } })
  t.match(await service.get(`/v1/activations/${name}`), { status: 200, body: { status: 'unknown' } })
  t.match(await send(), { status: 202, body: { requestId: name, status: 'unknown' } })
  t.equal(carrier.state().requests, 1, 'the same key sends nothing')

  await makeSentOlder(service)
  await until(
    () => service.sql('select from results'),
    rows => rows.length === 2,
  )
  await makeUnclaimedOlder(service)
  const settled = await until(
    () => service.get(`/v1/activations/${name}`),
    ({ body }) => body.status === 'succeeded',
  )
  const [call] = carrier.ledger()
  t.match(settled, { status: 200, body: { requestId: call?.requestId, status: 'succeeded', counts: { succeeded: 2 } } })
  t.match(await send(), { status: 202, body: { requestId: call?.requestId } })
  t.equal(carrier.state().requests, 1)
  t.strictSame(await service.sql("select verdict from callbacks where verdict = 'unmatched'"), [])
  t.strictSame(await service.sql('select request_id from activations'), [{ request_id: call?.requestId }])
  t.match(await service.sql(`select was, becomes from changes where request_id = '${name}' order by id`), [
    { was: null, becomes: { status: 'unknown' } },
    { was: { status: 'unknown' }, becomes: { status: /succeeded|partial/ } },
  ])
})

t.test('callbacks that could mean two unknown requests settle neither; a person does', async t => {
  const carrier = await startCarrier(t, { settings: { loseAnswer: 1, never: 1 } })
  const service = await startSendingService(t, carrier)
  const send = () => service.call('POST', '/v1/activations', { body: requestFor(1) })
  const [one, other] = [(await send()).body.requestId, (await send()).body.requestId]
  await makeSentOlder(service)
  await service.callback(makeCallback({ ...device(1), requestId: 'told-1' }))
  await makeUnclaimedOlder(service)
  await new Promise(resolve => setTimeout(resolve, 4_500))
  const states = await service.sql('select state from submissions')
  t.strictSame(states, [{ state: 'unknown' }, { state: 'unknown' }])

  const settle = (name: string, body: object) => service.call('POST', `/v1/activations/${name}/settle`, { body })
  t.match(await settle(one, { requestId: 'told-1' }), {
    status: 200,
    body: { requestId: 'told-1', status: 'succeeded' },
  })
  t.match(await settle(other, { taken: false }), { status: 204 })
  t.match(await service.get(`/v1/activations/${one}`), { status: 200, body: { requestId: 'told-1' } })
  t.match(await service.get(`/v1/activations/${other}`), { status: 404 })
  t.match(await settle(other, { requestId: 'told-2' }), { status: 409 })
  t.match(await settle(`submission-${'0'.repeat(36)}`, { taken: false }), { status: 404 })
})

t.test('what was on its way when its process died becomes unknown', async t => {
  const service = await takeTestService(t)
  const row = (id: number, age: string) =>
    service.sql(
      `insert into submissions (id, name, account_name, asked_by, request_digest, request, state, intended_at, sent_at)
       values ($1, $2, $3, 'test', '', $4, 'sent', now() - $5::interval, now() - $5::interval)`,
      [
        `00000000-0000-7000-8000-00000000000${id}`,
        `submission-00000000-0000-7000-8000-00000000000${id}`,
        account,
        JSON.stringify(requestFor(id)),
        age,
      ],
    )
  await row(1, '6 minutes')
  await row(2, '1 minute')
  await lookForUnanswered(service)
  const shown = await until(
    () => service.get('/v1/activations/submission-00000000-0000-7000-8000-000000000001'),
    ({ status }) => status === 200,
  )
  t.match(shown, { status: 200, body: { status: 'unknown', counts: { targets: 1, pending: 1 } } })
  t.strictSame(await service.sql('select state, settled_by from submissions order by id'), [
    { state: 'unknown', settled_by: 'clock' },
    { state: 'sent', settled_by: null },
  ])
})

t.test('the log says why the outcome of a request is unknown', async t => {
  const carrier = await startCarrier(t, { settings: { loseAnswer: 1 } })
  const env = { DATABASE_URL: await createTestDatabase(t), SEAL_KEY: Buffer.alloc(32, 7).toString('base64') }
  const service = await startServerProcess(t, { ...env, ...access, THINGSPACE_BASE_URL: carrier.url })
  t.match(await sendTo(`${service.url}/v1/activations`, 'POST', { body: requestFor(1) }), { status: 202 })
  const [line = ''] = await until(
    async () => service.output.filter(line => line.includes('whether ThingSpace took a request')),
    lines => lines.length > 0,
  )
  t.match(JSON.parse(line), {
    level: 'warn',
    err: { kind: 'unreachable', during: 'activate', reason: 'UND_ERR_SOCKET' },
  })
})
