import pg from 'pg'
import t, { type Test } from 'tap'
import { startLink } from '../faults/link.ts'
import { activatePath, asked, requestFor, startCarrier, startSendingService, until } from '../fixtures/carrier.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import type { TestService } from '../fixtures/service.ts'

/** A service whose way to the database can be broken, and a way that stays. */
async function startLinked(t: Test, settings: object = {}) {
  const carrier = await startCarrier(t, { settings: { never: 1, answerAfterMs: 500, ...settings } })
  const direct = await createTestDatabase(t)
  const link = await startLink(direct)
  t.teardown(() => link.stop())
  const service = await startSendingService(t, carrier, { DATABASE_URL: link.url })
  const pool = new pg.Pool({ connectionString: direct, max: 1 })
  t.teardown(() => pool.end())
  const sql: TestService['sql'] = async (text, values) => (await pool.query(text, values)).rows
  return { carrier, link, service, sql }
}

const key = { 'idempotency-key': 'once' }

t.test(
  'what the carrier took while the database was away is stored when it is back, and never called unsent',
  async t => {
    const { carrier, link, service, sql } = await startLinked(t)
    const send = () => service.call('POST', '/v1/activations', { body: requestFor(1, 2), headers: key })
    const sending = send()
    await until(
      () => carrier.state().requests,
      requests => requests === 1,
    )
    link.close()
    const answer = await sending
    t.match(answer, {
      status: 202,
      body: { requestId: /^submission-/, status: 'unknown', settledAt: null, counts: { targets: 2, pending: 2 } },
    })
    const name = answer.body.requestId
    t.equal(answer.headers.get('location'), `/v1/activations/${name}`)
    t.notOk(answer.headers.has('retry-after'))

    link.restore()
    const [call] = carrier.asked().filter(({ path }) => activatePath.test(path))
    const stored = await until(
      () => sql('select state, request_id, settled_by from submissions'),
      ([row]) => row.state !== 'sent',
      30_000,
    )
    t.strictSame(stored, [{ state: 'accepted', request_id: call?.requestId, settled_by: 'answer' }])
    const shown = await until(
      () => service.get(`/v1/activations/${name}`),
      ({ status }) => status === 200,
    )
    t.match(shown, { body: { requestId: stored[0].request_id, status: 'pending', counts: { targets: 2 } } })
    t.match(await until(send, ({ status }) => status !== 503), {
      status: 202,
      body: { requestId: shown.body.requestId },
    })
    t.equal(asked(carrier, activatePath), 1)
  },
)

t.test('an activation that can not be read back once it was sent is answered as it was sent', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1 } })
  const service = await startSendingService(t, carrier)
  // A time that no view can show, from the moment the activation is recorded.
  await service.sql(`
    create function spoil() returns trigger language plpgsql as $$
    begin
      update activations set expected_by = 'infinity' where request_id = new.request_id;
      return null;
    end $$;
    create trigger spoil after update on submissions for each row when (new.state = 'accepted')
      execute function spoil()`)
  const answer = await service.call('POST', '/v1/activations', { body: requestFor(1) })
  const [call] = carrier.asked().filter(({ path }) => activatePath.test(path))
  t.match(answer, {
    status: 202,
    body: { requestId: call?.requestId, status: 'pending', expectedBy: /Z$/, counts: { targets: 1, pending: 1 } },
  })
  t.equal(answer.headers.get('location'), `/v1/activations/${call?.requestId}`)
  t.strictSame(await service.sql('select state from submissions'), [{ state: 'accepted' }])
})

t.test('a service that leaves finishes what it is sending, also when the caller has hung up', async t => {
  const { carrier, service, sql } = await startLinked(t)
  const caller = new AbortController()
  const { signal } = caller
  const headers = { 'content-type': 'application/json' }
  const sending = fetch(`${service.url}/v1/activations`, {
    method: 'POST',
    body: JSON.stringify(requestFor(1)),
    headers,
    signal,
  })
  await until(
    () => carrier.state().requests,
    requests => requests === 1,
  )
  caller.abort()
  await t.rejects(sending)
  await service.close()
  t.strictSame(await sql('select state from submissions'), [{ state: 'accepted' }])
})

t.test('a service that leaves while the database is away does not stay for it, and says that it was sent', async t => {
  const { carrier, link, service, sql } = await startLinked(t)
  const sending = service.call('POST', '/v1/activations', { body: requestFor(1) })
  await until(
    () => carrier.state().requests,
    requests => requests === 1,
  )
  link.close()
  const closed = service.close()
  t.match(await sending, { status: 202, body: { requestId: /^submission-/, status: 'unknown' } })
  await closed
  t.strictSame(await sql('select state from submissions'), [{ state: 'sent' }])
})

t.test('what can not be marked as sent does not leave, and the same key sends it later', async t => {
  const { carrier, link, service, sql } = await startLinked(t)
  await sql(`update carrier_slots set free_at = now() + interval '2 seconds'`)
  const send = () => service.call('POST', '/v1/activations', { body: requestFor(1), headers: key })
  const sending = send()
  await until(
    () => sql('select state from submissions'),
    rows => rows.length === 1,
  )
  link.close()
  t.match(await sending, { status: 503, body: { errorMessage: /nothing was sent/ } })
  t.equal(asked(carrier, activatePath), 0)
  link.restore()
  t.match(await until(send, ({ status }) => status !== 503, 30_000), { status: 202, body: { status: 'pending' } })
  t.equal(asked(carrier, activatePath), 1)
})
