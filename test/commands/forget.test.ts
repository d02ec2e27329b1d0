import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { runCommand, sealKey } from '../fixtures/run-command.ts'
import { account, takeTestService } from '../fixtures/service.ts'

const { iccid } = device(1)

t.test('forgetting a profile erases its logins and the unreadable bytes that name it, and nothing else', async t => {
  const service = await takeTestService(t)
  const forget = (...args: string[]) =>
    runCommand('forget', args, { DATABASE_URL: service.databaseUrl, SEAL_KEY: sealKey })
  await service.callback(makeCallback({ requestId: 'one', ...device(1), secret: 'first' }))
  await service.callback(makeCallback({ requestId: 'one', ...device(1), secret: 'second' }))
  await service.callback(makeCallback({ requestId: 'two', ...device(2), secret: 'of another' }))
  const both = { ...makeCallback({ requestId: 'both', ...device(1), secret: 'in both' }) }
  const [mine, other] = [device(1), device(3)].map(ids => responseOf(makeCallback({ ...ids, secret: 'in both' })))
  const bulk = await service.callback({ ...both, deviceResponse: { deviceProfileResponse: [mine, other] } })
  const unread = await service.callback({ requestId: 7, about: iccid })
  const elsewhere = await service.callback({ requestId: 7, about: device(2).iccid })
  t.match(unread, { body: { verdict: 'quarantined' } })
  const shown = await service.get(`/v1/profiles/${iccid}`)

  const done = await forget('--iccid', iccid, '--json')
  t.match(done, { code: 0 })
  t.strictSame(JSON.parse(done.stdout), { callbacks: 4, quarantined: 1 })

  t.match(await service.get(`/v1/profiles/${iccid}/credential`), { status: 404 })
  const { hasCredential: _, ...rest } = shown.body
  t.match(
    (await service.get(`/v1/profiles/${iccid}`)).body,
    { ...rest, hasCredential: false },
    'what is not secret stays',
  )
  t.match(await service.get(`/v1/profiles/${device(2).iccid}/credential`), { body: { password: 'of another' } })
  t.match(await service.get(`/v1/profiles/${device(3).iccid}/credential`), { body: { password: 'in both' } })
  t.match(await service.sql('select sealed is null as gone from callbacks where id = $1', [bulk.body.callbackId]), [
    { gone: false },
  ])
  t.match(await service.get(`/v1/callbacks/${unread.body.callbackId}`), {
    status: 200,
    body: { verdict: 'quarantined', reason: 'erased on request', body: {} },
  })
  t.match(await service.get(`/v1/callbacks/${elsewhere.body.callbackId}/bytes`), { status: 200 })
  const audited = await service.sql("select account_name, callback_id from audit where action = 'secrets erased'")
  t.equal(audited.filter(({ callback_id }) => callback_id !== null).length, 4)
  t.equal(audited.length, 5, 'and one of the request itself')

  t.strictSame(JSON.parse((await forget('--iccid', iccid, '--json')).stdout), { callbacks: 0, quarantined: 0 })
  const again = await service.callback(makeCallback({ requestId: 'three', ...device(1), state: 'SUSPEND' }))
  t.match(again, { status: 200 }, 'the profile goes on')
})

t.test('it forgets in one account only when told so, and takes digits only', async t => {
  const service = await takeTestService(t)
  const forget = (...args: string[]) =>
    runCommand('forget', args, { DATABASE_URL: service.databaseUrl, SEAL_KEY: sealKey })
  await service.callback(makeCallback({ requestId: 'one', ...device(1) }))
  t.match(await forget('--iccid', iccid, '--account', '0000999999-00001'), {
    stdout: 'erased in 0 callbacks, of which 0 could not be read\n',
  })
  t.match(await forget('--iccid', iccid, '--account', account), { stdout: /erased in 1 callbacks/ })
  t.match(await forget('--iccid', 'x'), { code: 2 })
  t.match(await forget(), { code: 2 })
})

function responseOf(callback: Record<string, unknown>): unknown {
  return (callback.deviceResponse as { deviceProfileResponse: unknown }).deviceProfileResponse
}
