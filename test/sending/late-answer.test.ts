import t, { type Test } from 'tap'
import { access, requestFor, until } from '../fixtures/carrier.ts'
import { account, startTestService } from '../fixtures/service.ts'
import { json, startCarrier } from '../thingspace/client-carrier.ts'

/** A request that has left, and whose answer is given when the test says so. */
async function startHeld(t: Test, answer: ReturnType<typeof json>) {
  let release = () => {}
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  const carrier = await startCarrier(t, { action: (...told) => void released.then(() => answer(...told)) })
  const service = await startTestService(t, { ...access, THINGSPACE_BASE_URL: carrier.baseUrl })
  const sending = service.call('POST', '/v1/activations', { body: requestFor(1) })
  await until(
    () => carrier.called('activate'),
    calls => calls === 1,
  )
  return { service, sending, release }
}

t.test('what ThingSpace took is recorded, though a person had said meanwhile that it was not taken', async t => {
  const { service, sending, release } = await startHeld(t, json(200, { requestId: 'taken-1' }))
  await service.sql(
    `update submissions set state = 'refused', settled_by = 'manual', error_status = 409, error_message = 'not taken'`,
  )
  release()
  t.match(await sending, { status: 202, body: { requestId: 'taken-1', status: 'pending' } })
  t.strictSame(await service.sql('select state, request_id, error_status from submissions'), [
    { state: 'accepted', request_id: 'taken-1', error_status: null },
  ])
})

t.test('a refusal that comes after its submission was settled changes nothing', async t => {
  const { service, sending, release } = await startHeld(t, json(400, { errorCode: '400', errorMessage: 'no' }))
  await service.record('told-1', [{ eid: '89001000000000000000000000000177' }])
  await service.sql(`update submissions set state = 'accepted', request_id = 'told-1', settled_by = 'manual'`)
  release()
  t.match(await sending, { status: 202, body: { requestId: 'told-1', accountName: account } })
  t.strictSame(await service.sql('select state, request_id from submissions'), [
    { state: 'accepted', request_id: 'told-1' },
  ])
})

t.test('a refusal of a request is no word about a later one with its key', async t => {
  const { service, sending, release } = await startHeld(t, json(400, { errorCode: '400', errorMessage: 'no' }))
  await service.sql("update submissions set intended_at = now() + interval '1 second', state = 'sent'")
  release()
  t.match(await sending, { status: 400, body: { errorMessage: 'no' } })
  t.strictSame(await service.sql('select state from submissions'), [{ state: 'sent' }])
})

t.test('a slot of the pace is taken when the login is done, and the request can leave', async t => {
  let release = () => {}
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  const signedIn = json(200, { sessionToken: 'session-1' })
  const carrier = await startCarrier(t, { login: (...told) => void released.then(() => signedIn(...told)) })
  const service = await startTestService(t, { ...access, THINGSPACE_BASE_URL: carrier.baseUrl })
  const slots = () => service.sql("select from carrier_slots where free_at > '-infinity'")
  const sending = service.call('POST', '/v1/activations', { body: requestFor(1) })
  await until(
    () => carrier.called('login'),
    calls => calls === 1,
  )
  t.equal((await slots()).length, 0)
  release()
  t.match(await sending, { status: 202 })
  t.equal((await slots()).length, 1)
})
