import { readFileSync } from 'node:fs'
import t from 'tap'
import { makeDevices } from '../../src/simulator/make-identifiers.ts'
import { account, startAll } from './callback-receiver.ts'

/** The same keys in the same order at every depth, whatever the values. */
const skeleton = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(skeleton)
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.entries(value).map(([key, one]) => [key, key === 'kind' ? one : skeleton(one)])
}

/** The seed's example callback, as it stands on the carrier's page. */
const documented = {
  requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8',
  deviceIds: ['Iccid', 'Imei', 'Eid', 'mdn', 'msisdn'].map(kind => ({ id: '1', kind })),
  deviceResponse: {
    deviceProfileResponse: {
      deviceIdentifierCollection: ['Iccid', 'Imei', 'Eid', 'mdn', 'msisdn'].map(kind => ({ id: '1', kind })),
      state: 'ACTIVE',
      servicePlan: 'service plan name',
      deviceCredential: { username: 'user', password: 'password' },
      profileStatus: 'ENABLE',
      euiccSubAddressUpdateStatus: 'EXECUTED_SUCCESS',
      euiccSubAddressUpdateStatusCode: '1',
      euiccSubAddressUpdateStatusDesc: 'Line processed successfully',
      profileRole: 'LEAD',
    },
  },
  status: 'SUCCESS',
  callbackCount: 1,
  maxCallbackThreshold: 4,
}

t.test('an activation is called back once for each profile, as the carrier documents it', async t => {
  const { client, simulator, received } = await startAll(t)
  const devices = makeDevices(3, 5)
  const { requestId } = await client.activate({ accountName: account, servicePlan: 'PLAN', devices })
  await simulator.idle()

  t.equal(received.length, 5)
  for (const { body, headers } of received) {
    const { username, password, ...rest } = body
    t.strictSame([username, password], ['listener', 'password-1'])
    t.strictSame(skeleton(rest), skeleton(documented))
    t.match(rest, { ...documented, requestId, deviceIds: Array, deviceResponse: Object })
    t.match(headers, { 'content-type': 'application/json', 'user-agent': "Verizon's callback service" })
    t.equal(headers.authorization, undefined)
  }
  const iccids = received.map(({ body }) => (body.deviceIds as { id: string }[])[0]?.id)
  t.strictSame(iccids.sort(), devices.map(({ deviceIds }) => deviceIds[1]?.id).sort())
  t.ok(simulator.ledger().every(({ outcome, attempts }) => outcome === 'ok' && attempts.length === 1))
})

t.test('a Verizon plan makes a LEAD profile, a global plan a LOCAL one', async t => {
  const { client, simulator, received } = await startAll(t)
  for (const servicePlan of ['4G 2GB', 'GLOBAL-EU']) {
    await client.activate({ accountName: account, servicePlan, devices: makeDevices(servicePlan.length, 1) })
    await simulator.idle()
  }
  t.match(
    received.map(({ body }) => body),
    ['LEAD', 'LOCAL'].map(profileRole => ({ deviceResponse: { deviceProfileResponse: { profileRole } } })),
  )
})

t.test('a consumer eSIM is asked for by EID and IMEI, and the callback hands over its ICCID', async t => {
  const { client, simulator, received } = await startAll(t)
  const ask = { accountName: account, servicePlan: 'HybridESim', devices: makeDevices(3, 2, true) }
  await client.activate(ask)
  await simulator.idle()
  const iccids = received.map(({ body }) => (body.deviceIds as { id: string }[])[0]?.id)
  t.equal(new Set(iccids).size, 2)
  for (const iccid of iccids) t.match(iccid, /^89\d{18}$/)
  await client.activate(ask)
  await simulator.idle()
  t.strictSame(
    received
      .slice(2)
      .map(({ body }) => (body.deviceIds as { id: string }[])[0]?.id)
      .sort(),
    iccids.sort(),
    'and keeps it',
  )
})

t.test('a device is suspended with a callback for each profile and one for the device', async t => {
  const { client, simulator, received } = await startAll(t)
  const [first, second] = makeDevices(3, 2)
  const eid = first?.deviceIds[0] ?? { kind: 'eid', id: '' }
  const sibling = { deviceIds: [eid, ...(second?.deviceIds.slice(1) ?? [])] }
  await client.activate({ accountName: account, devices: [first ?? sibling, sibling] })
  await simulator.idle()
  received.length = 0
  await client.perform('device_suspend', { accountName: account, devices: [{ deviceIds: [eid] }] })
  await simulator.idle()
  t.equal(received.length, 3)
  const [ofDevice, ...others] = received.filter(({ body }) => !('deviceResponse' in body))
  t.strictSame(ofDevice?.body.deviceIds, [{ id: eid.id, kind: 'Eid' }])
  t.equal(others.length, 0)
  const ofProfiles = received.filter(one => one !== ofDevice).map(({ body }) => body)
  t.match(ofProfiles, Array(2).fill({ deviceResponse: { deviceProfileResponse: { state: 'SUSPEND' } } }))
})

t.test('downloads are called back through DeviceProfileService, activations through CarrierService', async t => {
  const { client, simulator } = await startAll(t)
  await client.perform('download', { accountName: account, devices: makeDevices(3, 1) })
  await client.activate({ accountName: account, devices: makeDevices(3, 1) })
  await simulator.idle()
  t.strictSame(
    simulator
      .ledger()
      .map(one => one.serviceName)
      .sort(),
    ['CarrierService', 'DeviceProfileService'],
  )
})

t.test('without a listener a callback is never sent', async t => {
  const { client, simulator, received } = await startAll(t)
  await client.deregisterListener(account, 'CarrierService')
  await client.activate({ accountName: account, devices: makeDevices(3, 2) })
  await client.activate({ accountName: 'another account', devices: makeDevices(3, 1) })
  await simulator.idle()
  t.equal(received.length, 0)
  t.match(simulator.ledger(), Array(3).fill({ outcome: 'withheld', why: 'no-listener', attempts: { length: 0 } }))
})

t.test('a callback can be written in other ways that the carrier has shown', async t => {
  const { client, simulator, received } = await startAll(t)
  const shown = async (shape: Parameters<typeof simulator.settings>[0]) => {
    simulator.settings(shape)
    await client.activate({ accountName: account, devices: makeDevices(3, 1) })
    await simulator.idle()
    return received.at(-1)?.body
  }
  t.match(await shown({ shape: 'lower-case' }), { deviceIds: [{ kind: 'iccid' }, { kind: 'imei' }] })
  t.match(await shown({ shape: 'string-counts' }), { callbackCount: '1', maxCallbackThreshold: '4' })
  t.match(await shown({ shape: 'arrays' }), { deviceResponse: [{ deviceProfileResponse: [{ state: 'ACTIVE' }] }] })
  t.match(await shown({ shape: 'pascal-case' }), { RequestId: /./, Device: [{ Kind: 'Iccid', Identifier: /^\d+$/ }] })
})

t.test('fault and warning have the shapes of the samples', async t => {
  const { client, simulator, received } = await startAll(t, { fault: 1, warning: 1 })
  await client.activate({ accountName: account, devices: makeDevices(3, 1) })
  await simulator.idle()
  t.match(received[0]?.body, {
    status: 'warning',
    deviceResponse: { deviceProfileResponse: { profileStatus: 'DISABLE' } },
  })
  t.match(received[1]?.body, {
    faultResponse: {
      faultcode: 'UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive',
      faultstring: 'REQUEST_FAILED. Device Already Active',
    },
    status: 'Failed',
    deviceIds: [{ kind: 'Iccid' }, { kind: 'Imei' }, { kind: 'Eid' }],
  })
  t.notHas(received[1]?.body, { deviceResponse: {} })
})

t.test('the simulator imports nothing of the service but thingspace/', async t => {
  const folder = new URL('../../src/simulator/', import.meta.url)
  const { readdirSync } = await import('node:fs')
  for (const file of readdirSync(folder).filter(name => name.endsWith('.ts'))) {
    const text = readFileSync(new URL(file, folder), 'utf8')
    for (const [, from = ''] of text.matchAll(/from '([^']+)'/g)) {
      t.match(
        from,
        /^(\.\/[\w-]+\.ts|\.\.\/thingspace\/[\w-]+\.ts|node:\w+|fastify|typebox(\/compile)?)$/,
        `${file}: ${from}`,
      )
    }
  }
})
