import { createHash } from 'node:crypto'
import t from 'tap'
import { lookUpProfiles } from '../../src/profiles/find-profiles.ts'
import { watchQueries } from '../fixtures/count-buffers.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService, takeTestService } from '../fixtures/service.ts'

const other = '0000999999-00001'

t.test('an IMEI of few digits means itself, and not all that begin with it', async t => {
  const service = await takeTestService(t)
  const { imei } = device(1)
  const short = imei.slice(0, 8)
  await service.callback(makeCallback({ requestId: 'whole', ...device(1), eid: null }))
  const found = async (id: string) => {
    const { status, body } = await service.get(`/v1/devices/imei/${id}`)
    const lookedUp = await service.call('POST', '/v1/profiles/lookup', { body: { ids: [{ kind: 'imei', id }] } })
    t.equal(lookedUp.body.items.length, body.profiles?.length ?? 0)
    return status === 200 ? body.profiles.map(({ iccid }: { iccid: string }) => iccid) : status
  }
  t.equal(await found(short), 404)
  t.equal(await found(imei.slice(0, 13)), 404)
  await service.callback(makeCallback({ requestId: 'short', ...device(2), eid: null, imei: short }))
  t.strictSame(await found(short), [device(2).iccid])
  t.strictSame(await found(imei), [device(1).iccid])
  t.strictSame(await found(`${imei.slice(0, 14)}99`), [device(1).iccid], '14 digits are the device')
})

t.test('a lookup tells the profiles that many ids name, and which name none', async t => {
  const service = await takeTestService(t)
  const { eid, imei } = device(1)
  await service.callback(makeCallback({ requestId: 'one', ...device(1) }))
  await service.callback(makeCallback({ requestId: 'two', ...device(2), eid, imei }))
  await service.callback(makeCallback({ requestId: 'three', ...device(3), eid: null, imei: null }))
  const lookUp = (ids: unknown) => service.call('POST', '/v1/profiles/lookup', { body: { ids } })
  const profile = async (n: number) => (await service.get(`/v1/profiles/${device(n).iccid}`)).body

  const unknown = [
    { kind: 'Iccid', id: device(8).iccid },
    { kind: 'mdn', id: '1' },
  ]
  const { status, body } = await lookUp([
    { kind: 'ICCID', id: `${device(3).iccid}F` },
    unknown[0],
    { kind: 'Eid', id: eid },
    { kind: 'imei', id: imei.slice(0, 14) },
    { kind: 'msisdn', id: '+15555550101' },
    unknown[1],
    { kind: 'iccid', id: device(2).iccid },
  ])
  t.equal(status, 200)
  t.strictSame(body, { items: [await profile(3), await profile(1), await profile(2)], missing: unknown })

  const many = Array.from({ length: 1_000 }, (_, n) => ({ kind: 'iccid', id: device(n).iccid }))
  const all = await lookUp(many)
  t.match(all, { status: 200, body: { items: { length: 3 }, missing: { length: 997 } } })
  for (const [ids, message] of [
    [[...many, { kind: 'eid', id: '1' }], /^body: ids must not have more than 1000 items/],
    [[], /^body: ids /],
    [[{ kind: 'shoe', id: '42' }], /^body: ids.0.kind must be one of eid, iccid, imei, mdn, msisdn/],
    [[{ kind: 'eid', id: 42 }], /^body: ids.0.id /],
    [[{ kind: 'eid', id: '' }], /^body: ids.0.id /],
    [[{ kind: 'eid', id: '\u0000' }], /^body: ids.0.id /],
    [[{ kind: 'eid', id: '1', more: 1 }], /^body: ids.0.more is not known/],
    [undefined, /^body: ids is missing/],
  ]) {
    t.match(await lookUp(ids), { status: 400, body: { errorCode: '400', errorMessage: message } })
  }
  t.match(await service.call('POST', '/v1/profiles/lookup?x=1', { body: { ids: many } }), { status: 400 })

  const { cost } = watchQueries(t, service.databaseUrl)
  const kinds = ['eid', 'iccid', 'imei', 'mdn', 'msisdn'] as const
  const mixed = many.map(({ id }, n) => ({ kind: kinds[n % 5] ?? 'eid', id }))
  t.equal((await cost(db => lookUpProfiles(db, mixed, '*'))).queries, 1, '1,000 ids of all kinds are one round trip')
})

t.test('a lookup shows the accounts of the token alone, and a foreign id as a missing one', async t => {
  const token = (name: string, scope: string, accounts: string) =>
    `${name}:${scope}:${accounts}:${createHash('sha256').update(`secret-${name}`).digest('hex')}`
  const service = await startTestService(t, {
    THINGSPACE_ACCOUNT: account,
    CALLBACK_USERNAME: 'name',
    CALLBACK_PASSWORD: 'right',
    API_TOKENS: [token('mine', 'read', account), token('theirs', 'read', other), token('metrics', 'metrics', '*')].join(
      ';',
    ),
  })
  await service.callback(makeCallback({ ...device(1), username: 'name', password: 'right' }))
  const ids = Object.entries(device(1)).map(([kind, id]) => ({ kind, id }))
  const lookUp = (name: string) =>
    service.call('POST', '/v1/profiles/lookup', {
      headers: { authorization: `Bearer secret-${name}` },
      body: { ids },
    })
  t.match(await lookUp('mine'), { status: 200, body: { items: [{ iccid: device(1).iccid }], missing: { length: 0 } } })
  t.strictSame((await lookUp('theirs')).body, { items: [], missing: ids })
  t.equal((await lookUp('metrics')).status, 403)

  const list = async (name: string, query = '') =>
    service.get(`/v1/profiles?${query}`, { authorization: `Bearer secret-${name}` })
  t.match(await list('mine'), { status: 200, body: { items: [{ iccid: device(1).iccid }] } })
  for (const query of ['', `accountName=${account}`, 'state=ACTIVE', 'changedAfter=2026-01-01T00:00:00Z']) {
    t.strictSame((await list('theirs', query)).body, { items: [], next: null, prev: null }, query)
  }
})
