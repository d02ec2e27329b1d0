import t, { type Test } from 'tap'
import { giveUpUnanswered } from '../../src/sending/settle-unknown.ts'
import { activatePath, asked, requestFor, startCarrier, startSendingService, until } from '../fixtures/carrier.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { holdRows } from '../fixtures/hold-rows.ts'
import { account, type TestService } from '../fixtures/service.ts'

const expectWithin = { default: 900_000, byOperation: {} }
/** What background work does from time to time, done now. */
async function giveUp(t: Test, { databaseUrl }: TestService): Promise<void> {
  const db = openTestDatabase(t, databaseUrl)
  await giveUpUnanswered(db, expectWithin)
}

const sixMinutesAgo = `update submissions set intended_at = intended_at - interval '6 minutes',
  sent_at = sent_at - interval '6 minutes'`

t.test('what had not left yet is refused, not unknown, and its key sends it again', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1 } })
  const service = await startSendingService(t, carrier)
  const send = () =>
    service.call('POST', '/v1/activations', { body: requestFor(1), headers: { 'idempotency-key': 'again' } })
  const { requestId } = (await send()).body
  // As a process left it that died while it waited for its turn.
  await service.sql(`update submissions set state = 'intended', request_id = null, sent_at = null, settled_by = null`)
  await service.sql(sixMinutesAgo)
  await giveUp(t, service)
  const rows = await service.sql('select name, state, settled_by, error_status from submissions')
  t.match(rows, [{ state: 'refused', settled_by: 'clock', error_status: 503 }])
  t.match(await service.get(`/v1/activations/${rows[0].name}`), { status: 404 })

  const again = await send()
  t.equal(again.status, 202)
  t.not(again.body.requestId, requestId)
  t.equal(asked(carrier, activatePath), 2)
})

t.test('a sender that is still waiting when its request is given up does not send it', async t => {
  const carrier = await startCarrier(t)
  const service = await startSendingService(t, carrier)
  await service.sql(`update carrier_slots set free_at = now() + interval '3 seconds'`)
  const sending = service.call('POST', '/v1/activations', { body: requestFor(1) })
  await until(
    () => service.sql('select from submissions'),
    rows => rows.length === 1,
  )
  await service.sql(sixMinutesAgo)
  await giveUp(t, service)
  t.match(await sending, { status: 503, body: { errorMessage: /nothing was sent/ } })
  t.equal(asked(carrier, activatePath), 0)
  t.strictSame(await service.sql('select state, account_name from submissions'), [
    { state: 'refused', account_name: account },
  ])
})

t.test('a submission that somebody holds keeps no later one from being given up', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1 } })
  const service = await startSendingService(t, carrier)
  for (const n of [1, 2]) await service.call('POST', '/v1/activations', { body: requestFor(n) })
  await service.sql(`update submissions set state = 'intended', request_id = null`)
  const [first] = await service.sql('select id from submissions order by intended_at')
  const letGo = await holdRows(t, service.databaseUrl, 'submissions', `id = '${first.id}'`)
  await service.sql(sixMinutesAgo)
  await t.rejects(giveUp(t, service), { code: '55P03' })
  const states = () => service.sql('select state from submissions order by intended_at')
  t.strictSame(await states(), [{ state: 'intended' }, { state: 'refused' }])
  await letGo()
  await giveUp(t, service)
  t.strictSame(await states(), [{ state: 'refused' }, { state: 'refused' }])
})
