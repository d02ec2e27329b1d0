import t from 'tap'
import { access, requestFor, startCarrier, until } from '../fixtures/carrier.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { lookForUnanswered, makeUnclaimedOlder } from '../fixtures/make-older.ts'
import { startServerProcess } from '../fixtures/server-process.ts'
import { account, send, startTestService } from '../fixtures/service.ts'

t.test('a process that dies before the answer leaves its intent, which is settled by the callbacks', async t => {
  const carrier = await startCarrier(t, { settings: { answerAfterMs: 20_000, callbackAfterMs: 0 } })
  const databaseUrl = await createTestDatabase(t)
  const env = { DATABASE_URL: databaseUrl, SEAL_KEY: Buffer.alloc(32, 7).toString('base64') }
  const first = await startServerProcess(t, { ...env, ...access, THINGSPACE_BASE_URL: carrier.url })
  const headers = { 'idempotency-key': 'crash' }
  const cut = send(`${first.url}/v1/activations`, 'POST', { body: requestFor(1), headers }).catch(() => null)
  await until(
    () => carrier.state().requests,
    requests => requests === 1,
  )
  await first.end('SIGKILL')
  t.equal(await cut, null, 'the caller has no answer')

  carrier.settings({ answerAfterMs: 0 })
  const second = await startTestService(t, { ...env, ...access, THINGSPACE_BASE_URL: carrier.url })
  t.strictSame(await second.sql('select state, request_id from submissions'), [{ state: 'sent', request_id: null }])
  // Five minutes later.
  await second.sql(
    `update submissions set intended_at = now() - interval '6 minutes', sent_at = now() - interval '6 minutes'`,
  )
  const [{ name }] = await second.sql('select name from submissions')
  await lookForUnanswered(second)
  await until(
    () => second.get(`/v1/activations/${name}`),
    ({ status }) => status === 200,
  )
  const again = () => second.call('POST', '/v1/activations', { body: requestFor(1), headers })
  t.match(await again(), { status: 202, body: { status: 'unknown', requestId: name } })
  t.equal(carrier.state().requests, 1, 'nothing is sent again')

  const service = 'CarrierService'
  const { deviceIds } = requestFor(1).devices[0] ?? {}
  const told = { requestId: 'told-1', deviceIds, deviceResponse: { deviceProfileResponse: { state: 'ACTIVE' } } }
  await second.callback({ ...told, status: 'SUCCESS' }, { account, service })
  await makeUnclaimedOlder(second)
  const settled = await until(again, ({ body }) => body.status === 'succeeded')
  t.match(settled, { status: 202, body: { status: 'succeeded', requestId: 'told-1' } })
  t.equal(carrier.state().requests, 1)
})
