import pg from 'pg'
import t from 'tap'
import { until } from '../fixtures/carrier.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { runCommand, sealKey } from '../fixtures/run-command.ts'
import { account, type TestService, takeTestService } from '../fixtures/service.ts'

const { iccid } = device(1)

t.test('forgetting a profile erases its logins and the unreadable bytes that name it, and nothing else', async t => {
  const service = await takeTestService(t)
  const forget = (...args: string[]) => forgetIn(service, ...args)
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
  t.strictSame(JSON.parse(done.stdout), { callbacks: 4, quarantined: 1, unopened: 0 })

  t.match(await service.get(`/v1/profiles/${iccid}/credential`), { status: 404 })
  const { hasCredential: _, ...rest } = shown.body
  t.match(
    (await service.get(`/v1/profiles/${iccid}`)).body,
    { ...rest, hasCredential: false },
    'what is not secret stays',
  )
  t.strictSame(
    await service
      .sql(
        `select credential_digest as digest, (select bool_or(facts -> 'credentialDigest' is not null) from results r
        where r.iccid = p.iccid) as told from profiles p order by iccid`,
      )
      .then(rows => rows.map(({ digest, told }) => [digest !== null, told])),
    [
      [false, false],
      [true, true],
      [true, true],
    ],
    'nor can its login be told from others any more',
  )
  t.match(await service.get(`/v1/profiles/${device(2).iccid}/credential`), { body: { password: 'of another' } })
  t.match(await service.get(`/v1/profiles/${device(3).iccid}/credential`), { body: { password: 'in both' } })
  t.strictSame(
    await service.sql('select sealed is null as gone from callbacks where id = $1', [bulk.body.callbackId]),
    [{ gone: false }],
  )
  const erased = await service.get(`/v1/callbacks/${unread.body.callbackId}`)
  t.match(erased, { status: 200, body: { verdict: 'quarantined', reason: 'erased on request' } })
  t.strictSame(erased.body.body, {})
  t.match(await service.get(`/v1/callbacks/${elsewhere.body.callbackId}/bytes`), { status: 200 })
  const audited = await service.sql("select account_name, callback_id from audit where action = 'secrets erased'")
  t.equal(audited.filter(({ callback_id }) => callback_id !== null).length, 4)
  t.equal(audited.length, 5, 'and one of the request itself')

  t.strictSame(JSON.parse((await forget('--iccid', iccid, '--json')).stdout), {
    callbacks: 0,
    quarantined: 0,
    unopened: 0,
  })
  const again = await service.callback(makeCallback({ requestId: 'three', ...device(1), state: 'SUSPEND' }))
  t.match(again, { status: 200 }, 'the profile goes on')
})

t.test('it forgets in one account only when told so, and takes digits only', async t => {
  const service = await takeTestService(t)
  const forget = (...args: string[]) => forgetIn(service, ...args)
  await service.callback(makeCallback({ requestId: 'one', ...device(1) }))
  t.match(await forget('--iccid', iccid, '--account', '0000999999-00001'), {
    stdout: 'erased in 0 callbacks, of which 0 could not be read\n',
  })
  t.match(await forget('--iccid', iccid, '--account', account), { stdout: /erased in 1 callback, / })
  t.match(await forget('--iccid', 'x'), { code: 2 })
  t.match(await forget(), { code: 2 })
})

t.test('what was forgotten stays so, whatever makes the profile be folded anew', async t => {
  const service = await takeTestService(t)
  const [mine, other] = [device(1), device(3)].map(ids =>
    responseOf(makeCallback({ ...ids, secret: `of ${ids.iccid}` })),
  )
  const both = makeCallback({ requestId: 'both', ...device(1) })
  await service.callback({ ...both, deviceResponse: { deviceProfileResponse: [mine, other] } })
  t.match(await forgetIn(service, '--iccid', iccid), { code: 0 })

  const late = { ...makeCallback({ requestId: 'both', ...device(1), status: 'WARNING', state: 'LATE' }) }
  await service.callback({
    ...late,
    deviceResponse: { deviceProfileResponse: { ...profileOf(late), deviceCredential: null } },
  })
  await service.record('both', [device(1), device(3)])

  t.match((await service.get(`/v1/profiles/${iccid}`)).body, { hasCredential: false })
  t.match(await service.get(`/v1/profiles/${iccid}/credential`), { status: 404 })
  t.match(await service.get(`/v1/profiles/${device(3).iccid}/credential`), {
    body: { password: `of ${device(3).iccid}` },
  })
})

t.test('an ICCID is forgotten in whatever form the carrier wrote it', async t => {
  const service = await takeTestService(t)
  const spaced = iccid.replace(/(.{4})/g, '$1 ')
  for (const [at, written] of [`${iccid}F`, spaced, iccid.replace(/(.{5})/g, '$1-')].entries()) {
    await service.callback(
      makeCallback({ requestId: `form-${at}`, ...device(1), iccid: written, secret: `form ${at}` }),
    )
  }
  await service.callback({ requestId: 7, about: `the one of ${spaced}` })
  t.match(await service.get(`/v1/profiles/${iccid}/credential`), { body: { password: 'form 2' } })

  const { stdout } = await forgetIn(service, '--iccid', spaced, '--json')
  t.strictSame(JSON.parse(stdout), { callbacks: 4, quarantined: 1, unopened: 0 })
  t.match(await service.sql('select count(*)::int as left from callbacks where sealed is not null'), [{ left: 0 }])
})

t.test('a login is shown only of who is named beside it', async t => {
  const service = await takeTestService(t)
  const dashed = (n: number) => device(n).iccid.replace(/(.{5})/g, '$1-')
  const [one, two] = [1, 3].map(n => responseOf(makeCallback({ ...device(n), iccid: dashed(n), secret: `of ${n}` })))
  const both = makeCallback({ requestId: 'both', ...device(1) })
  await service.callback({ ...both, deviceResponse: { deviceProfileResponse: [one, two] } })
  t.match(await service.get(`/v1/profiles/${device(1).iccid}/credential`), { body: { password: 'of 1' } })
  t.match(await service.get(`/v1/profiles/${device(3).iccid}/credential`), { body: { password: 'of 3' } })
})

t.test('a callback that no key opens stops nobody from being forgotten', async t => {
  const service = await takeTestService(t)
  const lost = await service.callback({ requestId: 7, about: device(2).iccid })
  await service.callback(makeCallback({ requestId: 'one', ...device(1), secret: 'first' }))
  const unread = await service.callback({ requestId: 8, about: iccid })
  await service.callback(makeCallback({ requestId: 'two', ...device(1), secret: 'damaged, and of nobody else' }))
  await service.sql(
    `update callbacks set sealed = set_byte(sealed, 30, 255 - get_byte(sealed, 30))
     where id = $1 or activation_id = (select id from activations where request_id = 'two')`,
    [lost.body.callbackId],
  )

  t.match(await forgetIn(service, '--iccid', iccid), {
    code: 1,
    stdout: /erased in 3 callbacks, of which 1 could not be read\n1 more can not be opened/,
  })
  t.match(await service.get(`/v1/profiles/${iccid}`), { body: { hasCredential: false } })
  t.match(await service.get(`/v1/callbacks/${unread.body.callbackId}`), { body: { reason: 'erased on request' } })
  t.strictSame(
    await service.sql("select from audit where action = 'secrets erased' and callback_id is null"),
    [{}],
    'the request itself is told of',
  )
})

t.test('a login that comes meanwhile is left whole', async t => {
  const service = await takeTestService(t)
  await service.callback(makeCallback({ requestId: 'one', ...device(1), secret: 'first' }))
  const unread = await service.callback({ requestId: 7, about: iccid })
  const held = new pg.Client({ connectionString: service.databaseUrl })
  await held.connect()
  try {
    await held.query('begin')
    await held.query('select from callbacks where id = $1 for update', [unread.body.callbackId])
    const forgetting = forgetIn(service, '--iccid', iccid)
    await until(
      () => service.get(`/v1/profiles/${iccid}/credential`),
      ({ status }) => status === 404,
    )
    await service.callback(makeCallback({ requestId: 'two', ...device(1), secret: 'new' }))
    await held.query('commit')
    await forgetting
  } finally {
    await held.end()
  }
  t.match(await service.get(`/v1/profiles/${iccid}/credential`), { body: { password: 'new' } })
})

function forgetIn({ databaseUrl }: TestService, ...args: string[]) {
  return runCommand('forget', args, { DATABASE_URL: databaseUrl, SEAL_KEY: sealKey })
}

function profileOf(callback: Record<string, unknown>): object {
  return responseOf(callback) as object
}

function responseOf(callback: Record<string, unknown>): unknown {
  return (callback.deviceResponse as { deviceProfileResponse: unknown }).deviceProfileResponse
}
