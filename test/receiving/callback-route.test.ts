import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, send, startTestService, takeTestService } from '../fixtures/service.ts'

const listener = {
  THINGSPACE_ACCOUNT: account,
  CALLBACK_USERNAME: 'listener-acct1',
  CALLBACK_PASSWORD: 'current-password',
  CALLBACK_PASSWORD_PREVIOUS: 'previous-password',
  API_TOKENS: `tests:read,activate:*:${'0'.repeat(64)}`,
}
const credentials = { username: 'listener-acct1', password: 'current-password' }

t.test('a callback is answered with its id and verdict once it is committed', async t => {
  const service = await takeTestService(t)
  const answer = await service.callback(makeCallback())
  t.equal(answer.status, 200)
  t.match(answer.body, { callbackId: /^[0-9a-f-]{36}$/, verdict: 'unmatched' })
  t.strictSame(Object.keys(answer.body), ['callbackId', 'verdict'])
  t.strictSame(await service.sql('select id, verdict from callbacks'), [
    { id: answer.body.callbackId, verdict: 'unmatched' },
  ])
})

t.test('whoever is not the listener gets one and the same 403, and nothing is stored', async t => {
  const service = await takeTestService(t, listener)
  const cases: [string, unknown, { account?: string; service?: string }?][] = [
    ['no credentials', makeCallback()],
    ['a wrong password', makeCallback({ ...credentials, password: 'wrong' })],
    ['a wrong username', makeCallback({ ...credentials, username: 'wrong' })],
    ['an empty username and password', makeCallback({ username: '', password: '' })],
    ['a password that is a number', { ...makeCallback(credentials), password: 1 }],
    ['an unknown account', makeCallback(credentials), { account: '0000999999-00001' }],
    ['an unknown service', makeCallback(credentials), { service: 'NoSuchService' }],
    ['an account name of odd characters', makeCallback(credentials), { account: '%00' }],
    [
      'a password that stands twice',
      JSON.stringify(makeCallback(credentials)).replace('{', '{"password":"current-password",'),
    ],
    [
      'a username that stands twice, once escaped',
      JSON.stringify(makeCallback(credentials)).replace('{', '{"\\u0075sername":"listener-acct1",'),
    ],
    ['a password under two spellings', { ...makeCallback(credentials), Password: 'current-password' }],
  ]
  for (const [name, body, where] of cases) {
    const answer = await service.callback(body, where)
    t.match({ name, ...answer }, { name, status: 403, body: { errorCode: '403', errorMessage: 'not accepted' } })
  }
  t.strictSame(await service.sql('select count(*)::int as stored from callbacks'), [{ stored: 0 }])
})

t.test('current and previous credentials are taken, on every service of the listener', async t => {
  const service = await takeTestService(t, listener)
  for (const [at, password] of ['current-password', 'previous-password'].entries()) {
    for (const via of ['CarrierService', 'DeviceProfileService']) {
      const body = makeCallback({ ...credentials, password, requestId: `${via}-${at}` })
      t.match(await service.callback(body, { service: via }), { status: 200, body: { verdict: 'unmatched' } })
    }
  }
})

t.test('a source that is not allowed is refused before its body is read', async t => {
  const service = await startTestService(t, { ...listener, CALLBACK_ALLOWED_SOURCES: '192.0.2.0/24' })
  t.match(await service.callback(makeCallback(credentials)), { status: 403, body: { errorMessage: 'not accepted' } })
  t.match(await service.callback('x'.repeat(100_000)), { status: 403 }, 'no 413: the size is looked at later')
})

t.test('a proxy that is trusted tells the source, one that is not is not believed', async t => {
  const forwarded = { 'x-forwarded-for': '192.0.2.7' }
  const url = `/callbacks/${account}/CarrierService`
  const body = makeCallback(credentials)
  const open = { ...listener, CALLBACK_ALLOWED_SOURCES: '192.0.2.7' }
  const trusting = await startTestService(t, { ...open, TRUSTED_PROXIES: '127.0.0.1' })
  t.match(await trusting.call('POST', url, { headers: forwarded, body }), { status: 200 })
  const doubting = await startTestService(t, open)
  t.match(await doubting.call('POST', url, { headers: forwarded, body }), { status: 403 })
})

t.test('what is no callback is refused in the error form, and nothing is stored', async t => {
  const service = await takeTestService(t)
  const deep = `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`
  const cases: [string, unknown, number, RegExp][] = [
    ['empty', '', 400, /empty/],
    ['an array', [makeCallback()], 400, /not an object/],
    ['a number', '1', 400, /not an object/],
    ['XML', '<?xml version="1.0"?><soap:Envelope/>', 400, /XML.*SOAP/],
    ['cut short', JSON.stringify(makeCallback()).slice(0, -9), 400, /not valid JSON/],
    ['trailing garbage', `${JSON.stringify(makeCallback())} x`, 400, /not valid JSON/],
    ['nested past 64', deep, 400, /deeper than 64/],
    ['larger than 64 KiB', { ...makeCallback(), more: 'x'.repeat(66_000) }, 413, /too large/],
  ]
  for (const [name, body, status, message] of cases) {
    const answer = await service.callback(body)
    t.match({ name, ...answer }, { name, status, body: { errorCode: String(status), errorMessage: message } })
    t.ok(answer.headers.get('x-request-id'), name)
  }
  const encoded = await service.call('POST', `/callbacks/${account}/CarrierService`, {
    headers: { 'content-encoding': 'gzip' },
    body: makeCallback(),
  })
  t.match(encoded, { status: 415, body: { errorCode: '415' } })
  t.strictSame(await service.sql('select count(*)::int as stored from callbacks'), [{ stored: 0 }])
  t.match(await service.get('/health/live'), { status: 200 }, 'the process is unharmed')
})

t.test('the content type is taken as JSON whatever it says, and a byte-order mark is skipped', async t => {
  const service = await takeTestService(t)
  const url = `${service.url}/callbacks/${account}/CarrierService`
  const types = ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'no type at all', '']
  for (const [at, type] of types.entries()) {
    const body = JSON.stringify(makeCallback({ requestId: `type-${at}` }))
    const answer = await send(url, 'POST', { headers: { 'content-type': type }, body })
    t.match({ type, ...answer }, { type, status: 200 })
  }
  t.match(await service.callback(`\ufeff${JSON.stringify(makeCallback({ requestId: 'bom' }))}`), { status: 200 })
})

t.test('what is authentic but not readable is quarantined, byte for byte and sealed', async t => {
  const service = await takeTestService(t)
  const text = JSON.stringify(makeCallback({ secret: 'in-clear' }))
  const cases: [string, string | Buffer, RegExp][] = [
    ['an identifier as a JSON number', text.replace('"89999000000000000015"', '89999000000000000015'), /deviceIds/],
    ['a requestId that is a number', text.replace(/"requestId":"[^"]*"/, '"requestId":17'), /requestId/],
    ['no requestId', text.replace('"requestId"', '"noRequestId"'), /no requestId/],
    ['U+0000', text.replace('EXAMPLE_PLAN', 'EX\\u0000PLAN'), /nul-character/],
    ['a lone surrogate', text.replace('EXAMPLE_PLAN', 'EX\\ud800PLAN'), /lone-surrogate/],
    ['invalid UTF-8', Buffer.from(text.replace('EXAMPLE_PLAN', 'EX\u00ffPLAN'), 'latin1'), /invalid-utf8/],
    [
      'a key twice in one object',
      text.replace('"state":"ACTIVE"', '"state":"ACTIVE","state":"DEACTIVE"'),
      /duplicate-key/,
    ],
  ].map(([name, body, reason]) => [name as string, body as string, reason as RegExp])
  t.ok(text.includes(device(1).iccid))
  for (const [name, body, reason] of cases) {
    const sent = name.includes('JSON number') ? String(body).replaceAll(`"${device(1).iccid}"`, device(1).iccid) : body
    const answer = await service.callback(sent)
    t.match({ name, ...answer }, { name, status: 200, body: { verdict: 'quarantined' } })
    const [row] = await service.sql('select * from callbacks where id = $1', [answer.body.callbackId])
    t.match({ name, ...row }, { name, verdict: 'quarantined', reason, body: null })
    t.notOk(row.sealed.includes('in-clear'), `${name}: sealed`)
  }
  t.strictSame(await service.sql('select count(*)::int as profiles from profiles'), [{ profiles: 0 }])
})

t.test('a message of another kind is kept at its activation and changes no profile', async t => {
  const service = await takeTestService(t)
  const body = {
    requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8',
    deviceResponse: { changeIdentifierResponse: { deviceIds: [{ kind: 'iccid', id: 'A100008385E561' }] } },
    status: 'Success',
  }
  t.match(await service.callback(body), { status: 200, body: { verdict: 'other' } })
  t.match(await service.sql('select verdict, activation_id from callbacks'), [
    { verdict: 'other', activation_id: /\d+/ },
  ])
  t.strictSame(await service.sql('select * from profiles'), [])
})
