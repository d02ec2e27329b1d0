import t from 'tap'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { type Answer, account, takeTestService } from '../fixtures/service.ts'

const requestId = 'd1f08526-5443-4054-9a29-4456490ea9f8'

t.test('an activation is recorded once: 201, then 200 for the same, 409 for another', async t => {
  const service = await takeTestService(t)
  const first = await service.record(requestId, [device(1), device(2)], { servicePlan: 'EXAMPLE_PLAN' })
  t.match(first, {
    status: 201,
    body: {
      requestId,
      accountName: account,
      operation: 'activate',
      servicePlan: 'EXAMPLE_PLAN',
      settledAt: null,
      status: 'pending',
      overdue: false,
      counts: { targets: 2, pending: 2, warning: 0, succeeded: 0, failed: 0, conflict: 0 },
      timeToCallbackMs: { p50: null, p95: null, max: null },
    },
  })
  const { submittedAt, expectedBy } = first.body
  t.equal(Date.parse(expectedBy) - Date.parse(submittedAt), 15 * 60_000, 'expected within 15 minutes')
  const again = await service.record(requestId, [device(2), device(1)], { servicePlan: 'EXAMPLE_PLAN' })
  t.strictSame({ status: again.status, body: again.body }, { status: 200, body: first.body })
  const other = await service.record(requestId, [device(1)], { servicePlan: 'EXAMPLE_PLAN' })
  t.match(other, { status: 409, body: { errorCode: '409', errorMessage: /requestId/ } })
  t.match(await service.get(`/v1/activations/${requestId}`), { status: 200, body: first.body })
})

t.test('a callback that comes before its activation is claimed when it is recorded', async t => {
  const service = await takeTestService(t)
  t.match(await service.callback(makeCallback({ requestId, ...device(1) })), { body: { verdict: 'unmatched' } })
  t.match(await service.get(`/v1/activations/${requestId}`), { status: 404 })
  t.match(await service.get(`/v1/profiles/${device(1).iccid}`), { status: 200, body: { state: 'ACTIVE' } })
  t.match(await service.record(requestId, [device(1), device(2)]), {
    status: 201,
    body: { status: 'partial', counts: { targets: 2, pending: 1, succeeded: 1 } },
  })
  t.strictSame(await service.sql('select verdict from callbacks'), [{ verdict: 'applied' }])
})

t.test('a callback that comes after its activation is matched', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1), device(2)])
  t.match(await service.callback(makeCallback({ requestId, ...device(1) })), { body: { verdict: 'applied' } })
  t.match(await service.callback(makeFault({ requestId, ...device(2) })), { body: { verdict: 'applied' } })
  const { body } = await service.get(`/v1/activations/${requestId}`)
  t.match(body, { status: 'mixed', counts: { targets: 2, pending: 0, succeeded: 1, failed: 1 }, settledAt: /Z$/ })
  t.type(body.timeToCallbackMs.p50, 'number')
})

t.test('activations and callbacks that race each other never miss', async t => {
  const service = await takeTestService(t)
  const pairs = Array.from({ length: 150 }, (_, n) => n)
  const answers = await Promise.all(
    pairs.flatMap(n => {
      const id = `race-${n}`
      return [
        () => service.record(id, [device(n)]),
        () => service.callback(makeCallback({ requestId: id, ...device(n) })),
      ]
        .toSorted(() => (n % 2 === 0 ? 1 : -1))
        .map(untilTaken)
    }),
  )
  t.strictSame(
    answers.filter(({ status }) => status !== 200 && status !== 201),
    [],
    'all are answered well',
  )
  const rows = await service.sql('select status, count(*)::int from activations group by status')
  t.strictSame(rows, [{ status: 'succeeded', count: pairs.length }])
})

/** Sends again what was answered with 503, as its sender would. */
async function untilTaken(send: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await send()
    if (answer.status !== 503 || tries === 20) return answer
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

t.test('a target asked for by EID and IMEI keeps the ICCID that the callback hands over', async t => {
  const service = await takeTestService(t)
  const { eid, imei, iccid } = device(1)
  await service.record(requestId, [{ eid, imei }])
  await service.callback(makeCallback({ requestId, ...device(1) }))
  t.match(await service.get(`/v1/activations/${requestId}`), { body: { status: 'succeeded', counts: { targets: 1 } } })
  t.match(await service.get(`/v1/devices/eid/${eid}`), { body: { profiles: [{ iccid }] } })
  t.strictSame(await service.sql('select iccid, learned_iccid from targets'), [{ iccid: null, learned_iccid: iccid }])
})

t.test('a device that nobody asked for is kept as an unrequested target', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1)])
  await service.callback(makeCallback({ requestId, ...device(9) }))
  t.match(await service.get(`/v1/activations/${requestId}`), {
    body: { status: 'partial', counts: { targets: 2, pending: 1, succeeded: 1 } },
  })
  t.match(await service.sql('select number, requested, iccid from targets order by number'), [
    { number: 1, requested: true },
    { number: 2, requested: false, iccid: device(9).iccid },
  ])
})

t.test('an activation recorded by plain SQL claims its callbacks within 2 seconds', async t => {
  const service = await takeTestService(t)
  await service.callback(makeCallback({ requestId, ...device(1) }))
  const devices = [{ deviceIds: [{ kind: 'ICCID', id: device(1).iccid }] }]
  await service.sql('insert into outgoing_activations (request_id, account_name, devices) values ($1, $2, $3)', [
    requestId,
    account,
    JSON.stringify(devices),
  ])
  const deadline = Date.now() + 30_000
  let answer = await service.get(`/v1/activations/${requestId}`)
  while (answer.status === 404 && Date.now() < deadline) {
    await new Promise(resolve => setTimeout(resolve, 50))
    answer = await service.get(`/v1/activations/${requestId}`)
  }
  t.match(answer, { status: 200, body: { status: 'succeeded', counts: { targets: 1 } } })
})

t.test('a row of plain SQL that is no activation is kept with its problem', async t => {
  const service = await takeTestService(t)
  const insert = 'insert into outgoing_activations (request_id, account_name, devices) values ($1, $2, $3)'
  await service.sql(insert, [requestId, account, '[{"deviceIds":[{"kind":"shoe","id":"1"}]}]'])
  const deadline = Date.now() + 30_000
  let problem = null
  while (problem === null && Date.now() < deadline) {
    await new Promise(resolve => setTimeout(resolve, 50))
    ;[{ problem }] = await service.sql('select problem from outgoing_activations')
  }
  t.match(problem, /not an activation/)
  await t.rejects(service.sql(insert, ['no good id!', account, '[]']), /request_id_shape/)
})

t.test('what can be wrong with an activation is told by its name', async t => {
  const service = await takeTestService(t)
  const good = { accountName: account, devices: [{ deviceIds: [{ kind: 'iccid', id: device(1).iccid }] }] }
  const cases: [string, unknown, RegExp][] = [
    ['no devices', { accountName: account }, /devices is missing/],
    ['an empty list', { ...good, devices: [] }, /devices/],
    ['too many devices', { ...good, devices: Array(10_001).fill(good.devices[0]) }, /devices/],
    ['an unknown field', { ...good, servicePlam: 'x' }, /servicePlam is not known/],
    [
      'an unknown kind',
      { ...good, devices: [{ deviceIds: [{ kind: 'mdn', id: '1' }] }] },
      /devices\.0\.deviceIds\.0\.kind/,
    ],
    [
      'an identifier that is a number',
      { ...good, devices: [{ deviceIds: [{ kind: 'eid', id: 1 }] }] },
      /devices\.0\.deviceIds\.0\.id/,
    ],
    ['a time that is none', { ...good, submittedAt: 'yesterday' }, /submittedAt/],
    ['no JSON', '{', /JSON/],
  ]
  for (const [name, body, message] of cases) {
    const answer = await service.call('PUT', `/v1/activations/${requestId}`, { body })
    t.match({ name, ...answer }, { name, status: 400, body: { errorCode: '400', errorMessage: message } })
  }
  t.match(await service.call('PUT', '/v1/activations/x!', { body: good }), { status: 400 })
  t.strictSame(await service.sql('select * from activations'), [])
})

t.test('10,000 devices are recorded at once', async t => {
  const service = await takeTestService(t)
  const devices = Array.from({ length: 10_000 }, (_, n) => device(n))
  t.match(await service.record(requestId, devices), { status: 201, body: { counts: { targets: 10_000 } } })
})
