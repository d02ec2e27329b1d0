import t from 'tap'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { account, takeTestService } from '../fixtures/service.ts'

const requestId = 'd1f08526-5443-4054-9a29-4456490ea9f8'

t.test('a device shows its profiles, LEAD and LOCAL, by any of its identifiers in any case', async t => {
  const service = await takeTestService(t)
  const { eid, imei } = device(1)
  await service.callback(makeCallback({ requestId: 'lead', ...device(1), profileRole: 'LEAD' }))
  await service.callback(
    makeCallback({ requestId: 'local', ...device(2), eid, imei, profileRole: 'LOCAL', state: 'SUSPEND' }),
  )
  await service.callback(makeCallback({ requestId: 'other', ...device(3) }))
  const expected = {
    eid,
    imei,
    profiles: [
      { iccid: device(1).iccid, profileRole: 'LEAD', state: 'ACTIVE', profileStatus: 'ENABLE', accountName: account },
      { iccid: device(2).iccid, profileRole: 'LOCAL', state: 'SUSPEND' },
    ],
  }
  for (const path of [
    `eid/${eid}`,
    `EID/${eid}`,
    `iccid/${device(2).iccid}`,
    `Imei/${imei}`,
    `imei/${imei.slice(0, 14)}`,
  ]) {
    const answer = await service.get(`/v1/devices/${path}`)
    t.match({ path, ...answer }, { path, status: 200, body: expected })
    t.equal(answer.body.profiles.length, 2)
  }
  t.match(await service.get('/v1/devices/mdn/5555550101'), { status: 200 })
  t.match(await service.get('/v1/devices/msisdn/+15555550101'), { status: 200 })
})

t.test('a profile is told with everything the contract names', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1)])
  await service.callback(makeCallback({ requestId, ...device(1) }))
  const { body } = await service.get(`/v1/profiles/${device(1).iccid}`)
  const { changedAt, confirmedAt, ...rest } = body
  t.strictSame(rest, {
    iccid: device(1).iccid,
    eid: device(1).eid,
    imei: device(1).imei,
    mdn: '5555550101',
    msisdn: '15555550101',
    accountName: account,
    state: 'ACTIVE',
    profileStatus: 'ENABLE',
    profileRole: 'LEAD',
    servicePlan: 'EXAMPLE_PLAN',
    addressUpdate: { status: 'EXECUTED_SUCCESS', code: '1', description: 'Line processed successfully' },
    hasCredential: true,
    flags: [],
    lastResult: {
      requestId,
      operation: 'activate',
      result: 'succeeded',
      faultCode: null,
      faultMessage: null,
      source: 'callback',
    },
    version: 1,
  })
  for (const time of [changedAt, confirmedAt]) t.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

t.test('a fault shows as the last result, and leaves the state as it was', async t => {
  const service = await takeTestService(t)
  const submitted = (minutes: number) => ({ submittedAt: new Date(Date.UTC(2026, 0, 1, 0, minutes)).toISOString() })
  await service.record('first', [device(1)], submitted(1))
  await service.record('second', [device(1)], submitted(2))
  await service.callback(makeCallback({ requestId: 'first', ...device(1) }))
  await service.callback(makeFault({ requestId: 'second', ...device(1) }))
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), {
    body: {
      state: 'ACTIVE',
      version: 2,
      lastResult: {
        requestId: 'second',
        result: 'failed',
        faultCode: /DeviceAlreadyActive$/,
        faultMessage: /already active/,
      },
    },
  })
})

t.test('the newest activation by submission is shown, whatever comes last', async t => {
  const service = await takeTestService(t)
  await service.callback(makeCallback({ requestId: 'newer', ...device(1), state: 'SUSPEND' }))
  await service.callback(makeCallback({ requestId: 'older', ...device(1), state: 'ACTIVE' }))
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { body: { state: 'ACTIVE' } }, 'as they arrived')
  await service.record('newer', [device(1)], { submittedAt: '2026-01-02T00:00:00Z' })
  await service.record('older', [device(1)], { submittedAt: '2026-01-01T00:00:00Z' })
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), {
    body: { state: 'SUSPEND', lastResult: { requestId: 'newer' } },
  })
})

t.test('a warning that comes late does not undo the final word', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1)])
  await service.callback(makeCallback({ requestId, ...device(1), profileStatus: 'ENABLE' }))
  await service.callback(makeCallback({ requestId, ...device(1), profileStatus: 'DISABLE', status: 'warning' }))
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), {
    body: { profileStatus: 'ENABLE', lastResult: { result: 'succeeded' } },
  })
  t.match(await service.get(`/v1/activations/${requestId}`), { body: { status: 'succeeded' } })
})

t.test('the same callback is counted once, however often it comes and at the same moment', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1)])
  const copies = Array.from({ length: 40 }, (_, n) => makeCallback({ requestId, ...device(1), callbackCount: n + 1 }))
  const answers = await Promise.all(copies.map(copy => service.callback(copy)))
  t.equal(new Set(answers.map(({ body }) => body.callbackId)).size, 1)
  t.equal(answers.filter(({ body }) => body.verdict === 'applied').length, 1)
  t.equal(answers.filter(({ body }) => body.verdict === 'repeated').length, 39)
  t.strictSame(await service.sql('select times_seen, highest_callback_count from callbacks'), [
    { times_seen: 40, highest_callback_count: 40 },
  ])
  t.strictSame(await service.sql('select callbacks from targets'), [{ callbacks: 1 }])
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { body: { version: 1 } })
})

t.test('an ETag answers 304 until something changes', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1)])
  await service.callback(makeCallback({ requestId, ...device(1) }))
  const paths = [`/v1/profiles/${device(1).iccid}`, `/v1/devices/eid/${device(1).eid}`, `/v1/activations/${requestId}`]
  const tags = await Promise.all(paths.map(async path => (await service.get(path)).headers.get('etag') ?? ''))
  for (const [at, path] of paths.entries()) {
    const tag = tags[at] ?? ''
    t.match(tag, /^"[^"]+"$/, 'strong')
    for (const known of [tag, `"x", ${tag}`, `W/${tag}`, '*']) {
      const answer = await service.get(path, { 'if-none-match': known })
      t.match({ known, ...answer }, { known, status: 304, body: '' })
      t.equal(answer.headers.get('etag'), tag)
    }
    t.match(await service.get(path, { 'if-none-match': '"x"' }), { status: 200 })
  }
  await service.callback(makeFault({ requestId, ...device(1) }))
  for (const [at, path] of paths.entries()) {
    t.match(await service.get(path, { 'if-none-match': tags[at] ?? '' }), { status: 200 }, path)
  }
})

t.test('what is not known, and what is asked wrongly, is told in the error form', async t => {
  const service = await takeTestService(t)
  const cases: [string, number, RegExp][] = [
    [`/v1/profiles/${device(8).iccid}`, 404, /not found/],
    [`/v1/devices/eid/${device(8).eid}`, 404, /not found/],
    ['/v1/activations/no-such-request', 404, /not found/],
    ['/v1/nothing', 404, /not found/],
    ['/v1/devices/shoe/42', 400, /kind must be one of eid, iccid, imei, mdn, msisdn/],
    [`/v1/profiles/${device(8).iccid}?asof=now`, 400, /query parameter: asof is not known/],
    [`/v1/devices/eid/${device(8).eid}?x=1`, 400, /x is not known/],
    ['/v1/activations/x!', 400, /requestId/],
    ['/v1/profiles/%', 400, /URL/],
    ['/v1/profiles/%00', 400, /iccid/],
  ]
  for (const [path, status, message] of cases) {
    const answer = await service.get(path)
    t.match({ path, ...answer }, { path, status, body: { errorCode: String(status), errorMessage: message } })
    t.match(answer.headers.get('content-type'), /application\/json/)
    t.ok(answer.headers.get('x-request-id'))
  }
  t.equal((await service.get('/v1/nothing', { 'x-request-id': 'mine-1' })).headers.get('x-request-id'), 'mine-1')
  t.not((await service.get('/v1/nothing', { 'x-request-id': 'not sane' })).headers.get('x-request-id'), 'not sane')
})

t.test("odd identifiers are flagged, never refused: the seed's placeholders too", async t => {
  const service = await takeTestService(t)
  await service.callback(makeCallback({ iccid: '20-digit ICCID', eid: '32-digit EID', imei: '001013000000011' }))
  t.match(await service.get(`/v1/profiles/${encodeURIComponent('20-digit ICCID')}`), {
    status: 200,
    body: { flags: ['eid-format', 'iccid-format', 'imei-check-digit'] },
  })
})

t.test('accounts never see or touch each other', async t => {
  const service = await takeTestService(t)
  const other = '0000999999-00001'
  await service.callback(makeCallback({ requestId, ...device(1), state: 'ACTIVE' }))
  await service.callback(makeCallback({ requestId, ...device(1), state: 'DEACTIVE' }), { account: other })
  t.strictSame(await service.sql('select account_name, state from profiles order by 1'), [
    { account_name: account, state: 'ACTIVE' },
    { account_name: other, state: 'DEACTIVE' },
  ])
  await service.record(requestId, [device(1)])
  t.strictSame(await service.sql('select account_name, status from activations where recorded_at is not null'), [
    { account_name: account, status: 'succeeded' },
  ])
})

t.test('a profile that went from account to account has one history, whichever has it now', async t => {
  const service = await takeTestService(t)
  const other = '0000999999-00001'
  const say = (state: string, name: string) =>
    service.callback(makeCallback({ requestId: `in-${name}`, ...device(1), state }), { account: name })
  await say('FIRST', account)
  await say('SECOND', other)
  const path = `/v1/profiles/${device(1).iccid}/history?limit=1`
  const newest = await service.get(path)
  t.match(newest.body.items, [{ accountName: other, to: { state: 'SECOND' } }])
  await say('THIRD', account)
  t.match(await service.get(`${path}&cursor=${newest.body.next}`), {
    status: 200,
    body: { items: [{ accountName: account, to: { state: 'FIRST' } }] },
  })
})

t.test('a message that says what is known already is unchanged, and makes no version', async t => {
  const service = await takeTestService(t)
  const now = (await service.get('/v1/changes?after=now')).body.cursor
  await service.record(requestId, [device(1)])
  t.match(await service.callback(makeCallback({ requestId, ...device(1) })), { body: { verdict: 'applied' } })
  const again = { ...makeCallback({ requestId, ...device(1) }), newField: 2 }
  t.match(await service.callback(again), { body: { verdict: 'unchanged' } })
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { body: { version: 1 } })
  t.equal((await service.get(`/v1/changes?after=${now}&iccid=${device(1).iccid}`)).body.items.length, 2)
})
