import t from 'tap'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { account, startTestService, type TestService, takeTestService } from '../fixtures/service.ts'

const requestId = 'd1f08526-5443-4054-9a29-4456490ea9f8'
const activate = (service: TestService, n = 1) => service.record(requestId, [device(n)])

t.test('a stored callback shows what it said, its counters, and no secret', async t => {
  const service = await takeTestService(t)
  await activate(service)
  const sent = makeCallback({
    requestId,
    ...device(1),
    username: 'name',
    password: 'listener-secret',
    secret: 'device-secret',
  })
  const { body: answer } = await service.callback(sent)
  for (const callbackCount of ['3', 2]) await service.callback({ ...sent, callbackCount })
  const { status, body } = await service.get(`/v1/callbacks/${answer.callbackId}`)
  t.equal(status, 200)
  t.match(body, {
    callbackId: answer.callbackId,
    accountName: account,
    serviceName: 'CarrierService',
    requestId,
    verdict: 'applied',
    reason: null,
    timesSeen: 3,
    highestCallbackCount: 3,
    result: 'succeeded',
    faultCode: null,
    deviceIds: [
      { kind: 'iccid', id: device(1).iccid },
      { kind: 'imei', id: device(1).imei },
      { kind: 'eid', id: device(1).eid },
      { kind: 'mdn', id: '5555550101' },
      { kind: 'msisdn', id: '15555550101' },
    ],
  })
  t.ok(Date.parse(body.lastSeenAt) >= Date.parse(body.receivedAt))
  t.strictSame(body.body, {
    ...sent,
    username: '[sealed]',
    password: '[sealed]',
    deviceResponse: {
      deviceProfileResponse: {
        ...(sent.deviceResponse as { deviceProfileResponse: object }).deviceProfileResponse,
        deviceCredential: '[sealed]',
      },
    },
  })
  t.notMatch(JSON.stringify(body), /secret/)
})

t.test('numbers that no double holds stay as they came, when they are shown and when they are read again', async t => {
  const service = await takeTestService(t)
  const odd = '"odd":[12345678901234567890,1e400,-0,1.0]'
  const sent = JSON.stringify(makeCallback({ requestId })).replace('"status"', `${odd},"status"`)
  const { callbackId } = (await service.callback(sent.replace('"device-secret"', '98765432109876543210'))).body
  const text = async (path: string) => (await fetch(service.url + path)).text()
  const check = async () => {
    for (const path of [`/${callbackId}`, `/${callbackId}/bytes`, '']) {
      t.ok((await text(`/v1/callbacks${path}`)).includes(odd), path)
    }
    t.match(await text(`/v1/callbacks/${callbackId}/bytes`), /"password":98765432109876543210/)
  }
  await check()
  t.match(await service.call('POST', `/v1/callbacks/${callbackId}/reprocess`), { body: { reprocessed: 1 } })
  await check()
})

t.test('callbacks are listed newest first, filtered, and paged both ways', async t => {
  const service = await takeTestService(t)
  const ids: string[] = []
  for (let n = 0; n < 7; n += 1) {
    ids.unshift((await service.callback(makeCallback({ requestId: `list-${n}`, ...device(n) }))).body.callbackId)
  }
  await service.callback('{"requestId":1}')
  const idsOf = (items: { callbackId: string }[]) => items.map(({ callbackId }) => callbackId)
  const first = await service.get('/v1/callbacks?verdict=unmatched&limit=3')
  t.strictSame([idsOf(first.body.items), first.body.prev], [ids.slice(0, 3), null])
  const second = await service.get(`/v1/callbacks?verdict=unmatched&limit=3&cursor=${first.body.next}`)
  t.strictSame(idsOf(second.body.items), ids.slice(3, 6))
  const third = await service.get(`/v1/callbacks?verdict=unmatched&limit=3&cursor=${second.body.next}`)
  t.strictSame([idsOf(third.body.items), third.body.next], [ids.slice(6), null])
  const back = await service.get(`/v1/callbacks?verdict=unmatched&limit=3&cursor=${third.body.prev}`)
  t.strictSame(idsOf(back.body.items), ids.slice(3, 6))
  const start = await service.get(`/v1/callbacks?verdict=unmatched&limit=3&cursor=${back.body.prev}`)
  t.strictSame([idsOf(start.body.items), start.body.prev, start.body.next === null], [ids.slice(0, 3), null, false])

  t.equal((await service.get('/v1/callbacks')).body.items.length, 8)
  t.equal((await service.get('/v1/callbacks?verdict=quarantined')).body.items.length, 1)
  t.equal((await service.get('/v1/callbacks?requestId=list-3')).body.items.length, 1)
  t.equal((await service.get('/v1/callbacks?accountName=nobody')).body.items.length, 0)
  t.equal((await service.get('/v1/callbacks?serviceName=CarrierService&limit=1000')).body.items.length, 8)
  t.equal((await service.get('/v1/callbacks?receivedAfter=2100-01-01T00:00:00Z')).body.items.length, 0)

  const bad = [
    `limit=0`,
    `limit=1001`,
    `limit=x`,
    `verdict=great`,
    `receivedAfter=soon`,
    `cursor=abc`,
    `unknown=1`,
    `cursor=${first.body.next}&limit=3`,
    `verdict=other&cursor=${first.body.next}`,
    `verdict=unmatched&cursor=${String(first.body.next).replace(/.$/, 'A')}x`,
  ]
  for (const query of bad) {
    const answer = await service.get(`/v1/callbacks?${query}`)
    t.match(
      { query, ...answer },
      { query, status: 400, body: { errorMessage: /^query parameter: (limit|verdict|receivedAfter|cursor|unknown)/ } },
    )
  }
  t.match(await service.get('/v1/callbacks/not-an-id'), { status: 400 })
  t.match(await service.get('/v1/callbacks/01a209e4-88fd-7081-b146-8ea9b31f82b7'), { status: 404 })
})

t.test('an activation lists its targets and its callbacks, those of other kinds too', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1), { eid: device(2).eid, imei: device(2).imei }, device(3)])
  await service.callback(makeCallback({ requestId, ...device(2) }))
  await service.callback(makeFault({ requestId, ...device(3) }))
  await service.callback({ requestId, niddResponse: { niddMONotificationResponse: {} } })
  const { body } = await service.get(`/v1/activations/${requestId}/targets`)
  t.match(body, { next: null, prev: null })
  t.match(body.items, [
    { ...device(1), requested: true, result: 'pending', overdue: false, source: null, settledAt: null, callbacks: 0 },
    { ...device(2), requested: true, result: 'succeeded', source: 'callback', settledAt: /Z$/, callbacks: 1 },
    { ...device(3), requested: true, result: 'failed', faultCode: /DeviceAlreadyActive/, callbacks: 1 },
  ])
  const pending = await service.get(`/v1/activations/${requestId}/targets?result=pending`)
  t.match(pending.body.items, [{ iccid: device(1).iccid }])
  const paged = await service.get(`/v1/activations/${requestId}/targets?limit=2`)
  t.equal(
    (await service.get(`/v1/activations/${requestId}/targets?limit=2&cursor=${paged.body.next}`)).body.items.length,
    1,
  )
  const callbacks = await service.get(`/v1/activations/${requestId}/callbacks`)
  t.strictSame(
    callbacks.body.items.map(({ verdict }: { verdict: string }) => verdict),
    ['other', 'applied', 'applied'],
  )
  t.match(await service.get('/v1/activations/unknown/targets'), { status: 404 })
  t.match(await service.get('/v1/activations/unknown/callbacks'), { status: 404 })
})

t.test('what was quarantined is read back byte for byte, and reprocessed after a fix', async t => {
  const service = await takeTestService(t)
  await activate(service)
  const refuse = 'alter table profiles add constraint refuse_all check (false) not valid'
  await service.sql(refuse)
  const text = `${JSON.stringify(makeCallback({ requestId, ...device(1) }), null, 3)}\n`
  const { body: stored } = await service.callback(text)
  t.match(stored, { verdict: 'quarantined' })
  t.match(await service.get(`/v1/callbacks/${stored.callbackId}`), {
    body: { verdict: 'quarantined', body: null, deviceIds: { length: 0 }, reason: /23514/ },
  })
  const bytes = await service.get(`/v1/callbacks/${stored.callbackId}/bytes`)
  t.strictSame([bytes.status, bytes.body, bytes.headers.get('cache-control')], [200, text, 'no-store'])
  t.match(await service.sql('select who, action, callback_id from audit'), [
    { action: 'message shown', callback_id: stored.callbackId },
  ])

  const reprocess = (body: object) => service.call('POST', '/v1/callbacks/reprocess', { body })
  const counted = await reprocess({ verdict: 'quarantined', dryRun: true })
  t.strictSame([counted.status, counted.body], [200, { matched: 1, reprocessed: 0, verdicts: {}, dryRun: true }])
  await service.sql('alter table profiles drop constraint refuse_all')
  t.match(
    await service.call('POST', `/v1/callbacks/${stored.callbackId}/reprocess`, { body: { dryRun: true } }),
    { status: 400, body: { errorMessage: /dryRun is not known/ } },
    'one is not counted, and what is not known is not passed over',
  )
  const outcome = await service.call('POST', `/v1/callbacks/${stored.callbackId}/reprocess`)
  t.strictSame(outcome.body, { matched: 1, reprocessed: 1, verdicts: { applied: 1 }, dryRun: false })
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { body: { state: 'ACTIVE', version: 1 } })
  t.match(await service.get(`/v1/activations/${requestId}`), { body: { status: 'succeeded' } })
  t.match(await service.get(`/v1/callbacks/${stored.callbackId}`), {
    body: { verdict: 'applied', reason: null, body: { requestId } },
  })
  t.strictSame(
    (await reprocess({})).body,
    { matched: 1, reprocessed: 0, verdicts: {}, dryRun: false },
    'what was applied has had its effect',
  )
  t.match(await service.callback(text), { body: { verdict: 'repeated', callbackId: stored.callbackId } })
})

t.test(
  'what an older reading took for another kind, or left unmatched, is reprocessed without counting twice',
  async t => {
    const service = await takeTestService(t)
    const { body: other } = await service.callback(makeCallback({ requestId, ...device(1) }))
    const { body: unmatched } = await service.callback(makeCallback({ requestId, ...device(2) }))
    // As an older version would have left the first one: kept, not understood.
    await service.sql("update callbacks set verdict = 'other', reason = 'older' where id = $1", [other.callbackId])
    await service.sql('delete from results where source_id = $1', [other.callbackId])
    const all = await service.call('POST', '/v1/callbacks/reprocess', { body: { requestId } })
    t.strictSame(all.body, { matched: 2, reprocessed: 2, verdicts: { unmatched: 2 }, dryRun: false })
    t.strictSame(await service.sql("select evidence->>'successes' as successes from profiles"), [
      { successes: '1' },
      { successes: '1' },
    ])
    await service.record(requestId, [device(1), device(2)])
    t.match(await service.get(`/v1/activations/${requestId}`), {
      body: { status: 'succeeded', counts: { targets: 2, succeeded: 2 } },
    })
    t.strictSame(await service.sql("select evidence->>'successes' as successes, callbacks from targets"), [
      { successes: '1', callbacks: 1 },
      { successes: '1', callbacks: 1 },
    ])
    t.match(await service.get(`/v1/callbacks/${unmatched.callbackId}`), { body: { verdict: 'applied' } })
  },
)

t.test('what lay in the spool keeps its place when it is read again', async t => {
  const service = await takeTestService(t)
  const say = async (state: string) =>
    (await service.callback(makeCallback({ requestId, ...device(1), state }))).body.callbackId as string
  const late = await say('LATE')
  const spooled = await say('SPOOLED')
  await service.sql("update results set at = at - interval '1 hour' where source_id = $1", [spooled])
  for (const id of [late, spooled]) {
    await service.call('POST', `/v1/callbacks/${id}/reprocess`)
    t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { body: { state: 'LATE' } })
  }
})

t.test('reprocessing is answered when it is done, however long its connection is silent', async t => {
  const service = await startTestService(t, { REQUEST_TIMEOUT: '1s' })
  const limitSeconds = 6
  const callbacks = Array.from({ length: 7 }, (_, n) => makeCallback({ requestId, ...device(n) }))
  for (const callback of callbacks) await service.callback(callback)
  await service.sql(`
    create function take_a_second() returns trigger language plpgsql as $$
      begin perform pg_sleep(1); return new; end $$`)
  await service.sql('create trigger slow before update on callbacks for each row execute function take_a_second()')
  t.ok(callbacks.length > limitSeconds, 'longer than a connection may be silent')
  t.match(await service.call('POST', '/v1/callbacks/reprocess', { body: { requestId } }), {
    status: 200,
    body: { matched: 7, reprocessed: 7, verdicts: { unmatched: 7 } },
  })
})

t.test('the history of a profile tells every change with its cause, and asOf what was known then', async t => {
  const service = await takeTestService(t)
  const path = `/v1/profiles/${device(1).iccid}`
  const causes: string[] = []
  const times: string[] = []
  for (const [at, state] of ['ACTIVE', 'SUSPEND', 'ACTIVE'].entries()) {
    await service.record(`step-${at}`, [device(1)], { operation: `step_${'abc'[at]}` })
    causes.unshift(
      (await service.callback(makeCallback({ requestId: `step-${at}`, ...device(1), state }))).body.callbackId,
    )
    times.push((await service.get(path)).body.changedAt)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const { body } = await service.get(`${path}/history`)
  t.match(body.items, [
    { kind: 'profile', from: { state: 'SUSPEND' }, to: { state: 'ACTIVE' }, requestId: 'step-2' },
    { kind: 'profile', from: { state: 'ACTIVE' }, to: { state: 'SUSPEND' }, requestId: 'step-1', accountName: account },
    {
      kind: 'profile',
      from: null,
      to: { state: 'ACTIVE', profileStatus: 'ENABLE', profileRole: 'LEAD', servicePlan: 'EXAMPLE_PLAN' },
    },
  ])
  t.strictSame(
    body.items.map(({ cause }: { cause: object }) => cause),
    causes.map(callbackId => ({ callbackId, source: 'callback' })),
  )
  t.strictSame([body.next, body.prev], [null, null])
  const paged = await service.get(`${path}/history?limit=2`)
  t.equal((await service.get(`${path}/history?limit=2&cursor=${paged.body.next}`)).body.items.length, 1)

  const asOf = async (time: string) => await service.get(`${path}?asOf=${encodeURIComponent(time)}`)
  const later = (time: string | undefined) => new Date(Date.parse(time ?? '') + 2).toISOString()
  t.match(await asOf(later(times[0])), {
    status: 200,
    body: { state: 'ACTIVE', version: 1, lastResult: { requestId: 'step-0', operation: 'step_a' } },
  })
  t.match(await asOf(later(times[1])), {
    status: 200,
    body: { state: 'SUSPEND', version: 2, lastResult: { requestId: 'step-1' } },
  })
  const { confirmedAt: _, ...now } = (await service.get(path)).body
  t.match(await asOf('2100-01-01T00:00:00Z'), { status: 200, body: now })
  t.match(await asOf('2020-01-01T00:00:00Z'), { status: 404 }, 'before it was known')
  t.match(await asOf('yesterday'), { status: 400, body: { errorMessage: /asOf/ } })
})

t.test('the credential of a profile is told to those who may know it, and every look is audited', async t => {
  const service = await takeTestService(t)
  const path = `/v1/profiles/${device(1).iccid}/credential`
  t.match(await service.get(path), { status: 404 })
  await service.callback(makeFault({ requestId: 'a', ...device(1) }))
  t.match(await service.get(path), { status: 404 }, 'a fault brings none')
  const { body: callback } = await service.callback(makeCallback({ requestId: 'b', ...device(1), secret: 's3cret' }))
  const answer = await service.get(path)
  t.strictSame(answer.body, {
    iccid: device(1).iccid,
    username: 'user@example.invalid',
    password: 's3cret',
    callbackId: callback.callbackId,
  })
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const sent = JSON.stringify(makeCallback({ requestId: 'c', ...device(2), secret: 'digits' }))
  await service.callback(
    sent
      .replace('"deviceCredential":{"username"', '"DeviceCredential":{"UserName"')
      .replace('"password":"digits"', '"PASSWORD":12345678901234567890'),
  )
  t.match(await service.get(`/v1/profiles/${device(2).iccid}/credential`), {
    body: { username: 'user@example.invalid', password: '12345678901234567890' },
  })
  t.strictSame(
    await service.sql(
      `select who, action, account_name, iccid, callback_id from audit where iccid = '${device(1).iccid}'`,
    ),
    [
      {
        who: 'try-out',
        action: 'credential shown',
        account_name: account,
        iccid: device(1).iccid,
        callback_id: callback.callbackId,
      },
    ],
  )
})

t.test('lists and stored callbacks carry an ETag too, and answer 304 until they change', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1), device(2)])
  const { body: first } = await service.callback(makeCallback({ requestId, ...device(1) }))
  const paths = [
    `/v1/callbacks/${first.callbackId}`,
    '/v1/callbacks',
    `/v1/activations/${requestId}/targets`,
    `/v1/activations/${requestId}/callbacks`,
    `/v1/profiles/${device(1).iccid}/history`,
  ]
  const tags = await Promise.all(paths.map(async path => (await service.get(path)).headers.get('etag') ?? ''))
  for (const [at, path] of paths.entries()) {
    t.match(tags[at], /^"[^"]+"$/, path)
    t.match(await service.get(path, { 'if-none-match': tags[at] ?? '' }), { status: 304, body: '' }, path)
  }
  await service.callback(makeCallback({ requestId, ...device(1), callbackCount: 2 }))
  await service.callback(makeFault({ requestId, ...device(1) }))
  for (const [at, path] of paths.entries()) {
    t.match(await service.get(path, { 'if-none-match': tags[at] ?? '' }), { status: 200 }, path)
  }
})
