import fc from 'fast-check'
import t from 'tap'
import { type Reading, readCallback, readDeviceIds } from '../../src/thingspace/read-callback.ts'
import { type Any, anyCallback, rewritten } from '../fixtures/any-callback.ts'
import { holds } from '../fixtures/holds.ts'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { randomFrom } from '../fixtures/model-messages.ts'
import { readMessage } from '../fixtures/read-message.ts'
import { loadSamples } from '../fixtures/samples.ts'

const read = (content: unknown): Reading => readCallback(readMessage(content))
const { iccid, eid, imei } = device(1)
const requestId = 'd1f08526-5443-4054-9a29-4456490ea9f8'

/** The one report of a message that has one. */
function only(content: unknown) {
  const reading = read(content)
  if (reading.kind !== 'reports') throw new Error(`${reading.kind}: ${reading.reason}`)
  const [report] = reading.reports
  if (report === undefined || reading.reports.length > 1) throw new Error(`${reading.reports.length} reports`)
  return report
}

const first = { iccid: '89999000000000000015', imei: '001013000000010', eid: '89001000000000000000000000000177' }
const second = { iccid: '89999000000000000023', imei: '001013000000028', eid: '89001000000000000000000000000274' }
const success = {
  requestId,
  callbackCount: 1,
  reason: null,
  reports: [
    {
      identifiers: first,
      result: 'succeeded',
      faultCode: null,
      faultMessage: null,
      facts: {
        mdn: '5555550101',
        msisdn: '15555550101',
        state: 'ACTIVE',
        profileStatus: 'ENABLE',
        profileRole: 'LEAD',
        servicePlan: 'EXAMPLE_PLAN',
        addressUpdate: { status: 'EXECUTED_SUCCESS', code: '1', description: 'Line processed successfully' },
        hasCredential: true,
      },
    },
  ],
}
const alreadyActive = {
  result: 'failed',
  faultCode: 'UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive',
  faultMessage: 'REQUEST_FAILED. Device is already active',
}
const nothingTold = {
  mdn: null,
  msisdn: null,
  state: null,
  profileStatus: null,
  profileRole: null,
  hasCredential: false,
}
const enabling = { requestId: '5f0e6b52-0f1b-4b5e-9d5e-0c5e9a3c7a11', callbackCount: 1 }

const expected: Record<string, object> = {
  'gio-activate-success-as-documented': success,
  'gio-activate-success-with-listener-credentials': success,
  'gio-activate-success-counts-as-strings': success,
  'euicc-activate-enable-lowercase-kinds': success,
  'gio-bulk-profile-1-of-2': success,
  'gio-activate-redelivery-count-2': { ...success, callbackCount: 2 },
  'gio-activate-address-update-failed': {
    reports: [
      {
        result: 'succeeded',
        facts: { addressUpdate: { status: 'EXAMPLE_FAILURE_VALUE', code: '2', description: 'example failure text' } },
      },
    ],
  },
  'gio-enable-global-profile-local-role': {
    reports: [
      {
        identifiers: { ...second, iccid: '89999000000000000049' },
        result: 'succeeded',
        facts: { profileRole: 'LOCAL' },
      },
    ],
  },
  'gio-bulk-profile-2-of-2-failed': {
    requestId,
    reports: [{ ...alreadyActive, identifiers: second, facts: nothingTold }],
  },
  'carrier-fault-as-documented': {
    requestId: '076f7ea9-8230-49b1-9386-8dafaddc7d9e',
    reports: [{ ...alreadyActive, identifiers: { ...first, eid: null }, facts: nothingTold }],
  },
  'euicc-enable-interim-warning': {
    ...enabling,
    reports: [{ identifiers: { ...first, imei: null }, result: 'warning', facts: { profileStatus: 'DISABLE' } }],
  },
  'euicc-enable-final-after-warning': {
    ...enabling,
    reports: [
      { identifiers: { ...first, imei: null }, result: 'succeeded', facts: { profileStatus: 'ENABLE', state: null } },
    ],
  },
  'nidd-uplink-as-documented': {
    kind: 'other',
    requestId: 'a0fff7d6-6b30-45eb-84d7-0bc103d319c0',
    reason: /another kind/,
  },
  'unknown-service-message': {
    kind: 'other',
    requestId: '0e0e0e0e-0000-4000-8000-000000000003',
    reason: /another kind/,
  },
}

t.test('every sample is read', async t => {
  const samples = loadSamples()
  t.strictSame([...samples.keys()].sort(), Object.keys(expected).sort())
  for (const [name, { body }] of samples) {
    const { kind = 'reports', ...rest } = expected[name] as Any
    t.match({ name, ...read(body) }, { name, kind, ...rest })
  }
})

t.test('the placeholders of the documentation are read without refusal', async t => {
  const ids = [
    { id: '20-digit ICCID', kind: 'Iccid' },
    { id: '15-digit IMEI', kind: 'Imei' },
    { id: '32-digit EID', kind: 'Eid' },
    { id: '10-digit phone number', kind: 'mdn' },
    { id: '1+ 10-digit phone number', kind: 'msisdn' },
  ]
  const message = JSON.parse(JSON.stringify(makeCallback())) as Any
  message.deviceIds = ids
  message.deviceResponse.deviceProfileResponse.deviceIdentifierCollection = ids
  t.match(only(message), {
    identifiers: { iccid: '20-digit ICCID', imei: '15-digit IMEI', eid: '32-digit EID' },
    facts: { mdn: '10-digit phone number', msisdn: '1+ 10-digit phone number' },
    result: 'succeeded',
  })
})

t.test('keys are read in any case, in any of their names, and lists as lists or as one object', async t => {
  const profile = { deviceIdentifierCollection: [{ id: iccid, kind: 'Iccid' }], state: 'ACTIVE' }
  const forms: [name: string, message: object][] = [
    ['as the example shows it', { requestId, deviceResponse: { deviceProfileResponse: profile }, status: 'SUCCESS' }],
    ['as the table types it', { requestId, deviceResponse: [{ deviceProfileResponse: [profile], status: 'SUCCESS' }] }],
    ['a list in an object', { requestId, deviceResponse: { deviceProfileResponse: [profile] }, status: 'SUCCESS' }],
    ['an object in a list', { requestId, deviceResponse: [{ deviceProfileResponse: profile }], status: 'SUCCESS' }],
    [
      'PascalCase',
      {
        RequestId: requestId,
        DeviceResponse: {
          DeviceProfileResponse: { DeviceIdentifierCollection: { Identifier: iccid, Kind: 'ICCID' }, State: 'ACTIVE' },
        },
        Status: 'SUCCESS',
      },
    ],
    [
      'PascalCase without a profile response',
      { RequestId: requestId, Device: [{ Kind: 'Iccid', Identifier: iccid }], Status: 'Success' },
    ],
    [
      'one device as an object',
      { RequestId: requestId, Device: { Kind: 'Iccid', Identifier: iccid }, Status: 'Success' },
    ],
    [
      'upper case',
      { REQUESTID: requestId, DEVICEIDS: [{ ID: iccid, KIND: 'ICCID' }], DEVICERESPONSE: null, STATUS: 'SUCCESS' },
    ],
  ]
  for (const [name, message] of forms) {
    t.match({ name, ...read(message) }, { name, kind: 'reports', requestId, reason: null })
    t.match(only(message), { identifiers: { iccid, eid: null, imei: null }, result: 'succeeded' }, name)
  }
})

t.test('a fault is read in any case of its keys', async t => {
  const Device = [{ Kind: 'Eid', Identifier: eid }]
  const FaultResponse = { FaultCode: 'X.INPUT_INVALID.Eid', FaultString: 'INPUT_INVALID. Eid' }
  t.match(only({ RequestId: requestId, Device, FaultResponse, Status: 'FAILED' }), {
    identifiers: { iccid: null, eid, imei: null },
    result: 'failed',
    faultCode: 'X.INPUT_INVALID.Eid',
    faultMessage: 'INPUT_INVALID. Eid',
  })
})

t.test('a fault is a fault whatever answer stands beside it', async t => {
  const deviceResponse = { changeIdentifierResponse: {} }
  t.match(only({ ...makeFault(), deviceResponse }), { result: 'failed', identifiers: { iccid } })
})

t.test('a status tells a result in any case', async t => {
  const cases: [status: unknown, result: string, reason: string | null][] = [
    ['SUCCESS', 'succeeded', null],
    ['Success', 'succeeded', null],
    [' success ', 'succeeded', null],
    ['Failed', 'failed', null],
    ['FAILURE', 'failed', null],
    ['warning', 'warning', null],
    ['Warning', 'warning', null],
    ['Pending', 'warning', null],
    ['Splendid', 'warning', 'has a status that is not known'],
    ['', 'warning', 'has no status'],
    [null, 'warning', 'has no status'],
  ]
  for (const [status, result, reason] of cases) {
    const message = { ...makeCallback(), status }
    t.equal(only(message).result, result, String(status))
    t.equal(read(message).reason, reason, String(status))
  }
})

t.test('where each device response has a status of its own, that one counts for its profiles', async t => {
  const response = (status: string, n: number) => ({
    status,
    deviceProfileResponse: { deviceIdentifierCollection: [{ kind: 'iccid', id: device(n).iccid }] },
  })
  const deviceResponse = [response('SUCCESS', 1), response('Failed', 2), response('warning', 3)]
  t.match(read({ requestId, deviceResponse }), {
    reports: [
      { identifiers: { iccid: device(1).iccid }, result: 'succeeded' },
      { identifiers: { iccid: device(2).iccid }, result: 'failed' },
      { identifiers: { iccid: device(3).iccid }, result: 'warning' },
    ],
  })
  t.match(read({ requestId, deviceResponse, status: 'Failed' }), {
    reports: [{ result: 'failed' }, { result: 'failed' }, {}],
  })
})

t.test('a fault is final unless the request is on hold', async t => {
  const cases: [code: string | null, status: string | undefined, result: string][] = [
    ['UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive', 'Failed', 'failed'],
    ['OtherService.REQUEST_CANCELLED', 'Failed', 'failed'],
    ['REQUEST_CANCELLED', undefined, 'failed'],
    ['OtherService.REQUEST_ONHOLD.Approval', 'Failed', 'warning'],
    ['REQUEST_ONHOLD', 'SUCCESS', 'warning'],
    ['Service.Something.New', 'Failed', 'failed'],
    ['Service.REQUEST_FAILED.X', 'warning', 'warning'],
    [null, 'Failed', 'failed'],
  ]
  for (const [code, status, result] of cases) {
    const report = only({ ...makeFault(), status, faultResponse: { faultcode: code, faultstring: 'said' } })
    t.match(report, { result, faultCode: code, faultMessage: 'said' }, `${code} ${status}`)
  }
})

t.test('a counter may be a number or a text, at the top or in the device response', async t => {
  const cases: [callbackCount: unknown, count: number | null][] = [
    [1, 1],
    ['3', 3],
    [' 4 ', 4],
    ['many', null],
    ['', null],
    [null, null],
    [1.5, null],
    [-1, null],
    [2 ** 31, null],
    ['99999999999', null],
  ]
  for (const [callbackCount, count] of cases) {
    const reading = read({ ...makeCallback(), callbackCount })
    t.match(reading, { kind: 'reports', callbackCount: count }, JSON.stringify(callbackCount))
  }
  for (const [digits, count] of [
    ['1.0', 1],
    ['2e0', 2],
    ['12345678901234567890', null],
  ] as const) {
    const text = JSON.stringify(makeCallback()).replace('"callbackCount":1', `"callbackCount":${digits}`)
    t.match(read(text), { kind: 'reports', callbackCount: count }, digits)
  }
  const nested = {
    requestId,
    deviceIds: [{ kind: 'iccid', id: iccid }],
    deviceResponse: [{ callbackCount: '2' }],
    status: 'Success',
  }
  t.equal(read(nested).callbackCount, 2)
})

t.test('a code of an address update keeps its digits', async t => {
  const text = JSON.stringify(makeCallback()).replace('StatusCode":"1"', 'StatusCode":12345678901234567890')
  t.match(only(text), { facts: { addressUpdate: { code: '12345678901234567890' } } })
  t.match(only(text.replace('12345678901234567890', '7')), { facts: { addressUpdate: { code: '7' } } })
})

t.test('an identifier entry may lack its id or its kind, and says nothing then', async t => {
  const deviceIds = [
    { kind: 'Iccid' },
    { kind: 'Iccid', id: null },
    { kind: 'Iccid', id: '  ' },
    { id: '17' },
    { kind: null, id: '18' },
    {},
    { kind: 'Eid', id: '' },
    { kind: ' ICCID ', id: ` ${iccid} ` },
    { kind: 'iccid', id: iccid },
    { kind: 'Imei', id: imei },
    { kind: 'MEID', id: 'A100008385E561' },
  ]
  t.match(only({ requestId, deviceIds, status: 'Success' }), { identifiers: { iccid, eid: null, imei } })
  t.strictSame(readDeviceIds({ deviceIds, Device: deviceIds }), [], 'nobody can say which ones are meant')
  t.strictSame(readDeviceIds({ requestId, deviceIds }).slice(-2), [
    { kind: 'imei', id: imei },
    { kind: 'meid', id: 'A100008385E561' },
  ])
})

t.test('a lone profile inherits what only the top names; of several, each has its own', async t => {
  const named = { deviceIdentifierCollection: [{ kind: 'Iccid', id: iccid }] }
  const top = [
    { kind: 'Eid', id: eid },
    { kind: 'Iccid', id: device(9).iccid },
  ]
  const message = (deviceProfileResponse: unknown) => ({
    requestId,
    deviceIds: top,
    deviceResponse: { deviceProfileResponse },
    status: 'SUCCESS',
  })
  t.match(only(message(named)), { identifiers: { iccid, eid, imei: null } })
  t.match(only(message({})), { identifiers: { iccid: device(9).iccid, eid } })
  const other = { deviceIdentifierCollection: [{ kind: 'Iccid', id: device(2).iccid }], state: 'SUSPEND' }
  t.match(read(message([named, other, { state: 'ACTIVE' }])), {
    reports: [
      { identifiers: { iccid, eid: null }, facts: { state: null } },
      { identifiers: { iccid: device(2).iccid, eid: null }, facts: { state: 'SUSPEND' } },
    ],
  })
})

t.test('without a profile response every ICCID stands for itself, once', async t => {
  const ids = (...all: [string, string][]) => all.map(([kind, id]) => ({ kind, id }))
  const fault = (deviceIds: object[]) => read({ ...makeFault(), deviceIds })
  t.match(fault(ids(['Iccid', iccid], ['Iccid', device(2).iccid], ['Eid', eid])), {
    reports: [
      { identifiers: { iccid, eid: null, imei: null }, result: 'failed' },
      { identifiers: { iccid: device(2).iccid, eid: null, imei: null }, result: 'failed' },
    ],
  })
  const twice = fault(ids(['Iccid', iccid], ['ICCID', `${iccid} `], ['Eid', eid]))
  t.match(twice, { reports: [{ identifiers: { iccid, eid } }] })
  t.equal(twice.kind === 'reports' && twice.reports.length, 1)
})

t.test('every device that is named has its result', async t => {
  const ids = (...all: [string, string][]) => all.map(([kind, id]) => ({ kind, id }))
  const [one, other] = [device(1), device(2)]
  const two = (kind: 'iccid' | 'eid' | 'imei') => ids([kind, one[kind]], [kind, other[kind]])
  const response = (deviceProfileResponse: unknown) => ({ deviceResponse: { deviceProfileResponse } })
  const cases: [name: string, message: object, kind: 'iccid' | 'eid' | 'imei'][] = [
    ['devices by EID', { deviceIds: two('eid') }, 'eid'],
    ['devices by EID, with an IMEI', { deviceIds: [...two('eid'), { kind: 'imei', id: one.imei }] }, 'eid'],
    ['devices by IMEI', { deviceIds: [...two('imei'), { kind: 'imei', id: one.imei.slice(0, 14) }] }, 'imei'],
    ['profiles that are not named', { deviceIds: two('iccid'), ...response([{ state: 'A' }, {}]) }, 'iccid'],
    ['a profile of several', response({ deviceIdentifierCollection: two('iccid'), state: 'A' }), 'iccid'],
    ['one named by the top alone', { deviceIds: two('iccid'), ...response({ state: 'A' }) }, 'iccid'],
  ]
  for (const [name, message, kind] of cases) {
    const told = (content: object) => {
      const reading = read({ requestId, status: 'SUCCESS', ...content })
      return reading.kind === 'reports' ? reading.reports : []
    }
    const nobody = { iccid: null, eid: null, imei: null }
    const reports = told(message)
    t.match(
      reports,
      [one, other].map(named => ({
        identifiers: { ...nobody, [kind]: named[kind] },
        result: 'succeeded',
        facts: nothingTold,
      })),
      name,
    )
    t.equal(reports.length, 2, name)
  }
  const unlike = [
    { deviceProfileResponse: {}, status: 'SUCCESS' },
    { deviceProfileResponse: {}, status: 'Failed' },
  ]
  const reason = 'names no device'
  t.match(read({ requestId, deviceIds: two('iccid'), deviceResponse: unlike }), { kind: 'other', reason })
  const dual = ids(['Imei', one.imei], ['Imei', other.imei], ['Eid', one.eid])
  t.match(only({ requestId, deviceIds: dual, status: 'SUCCESS' }), { identifiers: { eid: one.eid, imei: one.imei } })
})

t.test('a message of a device says nothing of a profile that it does not name', async t => {
  const { identifiers, facts, result } = only({ requestId, deviceIds: [{ kind: 'Eid', id: eid }], status: 'Success' })
  t.strictSame(identifiers, { eid, iccid: null, imei: null })
  t.match({ result, facts }, { result: 'succeeded', facts: { ...nothingTold, servicePlan: null, addressUpdate: null } })
})

t.test('words nobody has documented are kept, in one form', async t => {
  const message = makeCallback({ state: 'hibernating', profileStatus: 'Not Downloaded', profileRole: ' shared ' })
  t.match(only(message), { facts: { state: 'HIBERNATING', profileStatus: 'NOT_DOWNLOADED', profileRole: 'SHARED' } })
  t.match(only(makeCallback({ state: ' ' })), { facts: { state: null } })
})

t.test('what is no profile result is of another kind', async t => {
  const deviceIds = [{ kind: 'Iccid', id: iccid }]
  const cases: [name: string, message: object, reason: RegExp][] = [
    [
      'a changed identifier',
      { deviceResponse: { changeIdentifierResponse: { deviceIds } }, status: 'Success' },
      /device response of another/,
    ],
    [
      'the same in a list',
      { deviceResponse: [{ changeIdentifierResponse: {} }], status: 'Success', deviceIds },
      /device response of another/,
    ],
    [
      'NIDD',
      { niddResponse: { niddMTDeliveryResponse: {} }, deviceIds, status: 'Delivered' },
      /answer of another kind/,
    ],
    ['NIDD in another case', { NIDDRESPONSE: {}, deviceIds, status: 'Success' }, /answer of another kind/],
    ['a service nobody knows', { somethingNewResponse: {}, deviceIds, status: 'Success' }, /answer of another kind/],
    ['a fault of a service nobody knows', { ...makeFault(), newResponse: {} }, /answer of another kind/],
    ['a status that tells no result', { deviceIds, status: 'Queued' }, /neither/],
    ['nothing but a requestId', {}, /neither/],
    ['no device', { status: 'Success' }, /names no device/],
    ['a phone number alone', { deviceIds: [{ kind: 'mdn', id: '5555550101' }], status: 'Success' }, /names no device/],
  ]
  for (const [name, message, reason] of cases) {
    t.match({ name, ...read({ requestId, ...message }) }, { name, kind: 'other', requestId, reason })
  }
})

t.test('a blank tells nothing, so that what was told before stays', async t => {
  for (const blank of ['', ' ']) {
    const profile = {
      deviceIdentifierCollection: [{ kind: 'Iccid', id: iccid }],
      state: blank,
      servicePlan: blank,
      deviceCredential: { username: blank, password: null },
      profileStatus: blank,
      profileRole: blank,
      euiccSubAddressUpdateStatus: blank,
      euiccSubAddressUpdateStatusCode: blank,
      euiccSubAddressUpdateStatusDesc: blank,
    }
    const deviceResponse = { deviceProfileResponse: profile, status: 'SUCCESS' }
    const faultResponse = { faultcode: blank, faultstring: blank }
    const report = only({ requestId, deviceResponse, faultResponse, status: blank })
    t.match(report, { result: 'succeeded', faultCode: null, faultMessage: null })
    t.strictSame(report.facts, { ...nothingTold, servicePlan: null, addressUpdate: null })
  }
  t.match(only({ ...makeCallback(), faultResponse: {} }), { result: 'succeeded' })
  t.match(
    only({ ...makeFault(), faultResponse: {}, status: undefined }),
    { result: 'failed' },
    'there is no other word',
  )
  for (const deviceCredential of [{}, [], 'login', null]) {
    const deviceResponse = { deviceProfileResponse: { deviceCredential } }
    t.match(only({ ...makeCallback(), deviceResponse }), { facts: { hasCredential: false } })
  }
})

t.test('what speaks of a profile is its result, whatever answer stands beside it', async t => {
  const cases: [name: string, message: object][] = [
    ['answers that are null', { ...makeCallback(), niddResponse: null, FaultResponse: null }],
    ['a field that nobody knows yet', { ...makeCallback(), somethingNewResponse: {} }],
    ['a fault with an answer that is null', { ...makeFault(), niddResponse: null }],
    [
      'a device with inner answers that are null',
      {
        requestId,
        deviceIds: [{ kind: 'Iccid', id: iccid }],
        deviceResponse: { changeIdentifierResponse: null, deviceProfileResponse: null },
        status: 'Success',
      },
    ],
  ]
  for (const [name, message] of cases) {
    t.match({ name, ...read(message) }, { name, kind: 'reports', reports: [{ identifiers: { iccid } }] })
  }
})

t.test('what cannot be trusted is unreadable, with a reason that quotes nothing of it', async t => {
  const text = JSON.stringify(makeCallback({ secret: 'canary-secret' }))
  const without = (key: string) => ({ ...makeCallback(), [key]: undefined })
  const cases: [name: string, content: unknown, reason: string][] = [
    ['an ICCID as a JSON number', text.replaceAll(`"${iccid}"`, iccid), 'has an unexpected type at deviceIds.0.id'],
    [
      'an IMEI that fits a double',
      text.replaceAll(`"${imei}"`, '490154203237518'),
      'has an unexpected type at deviceIds.1.id',
    ],
    ['a list of bare numbers', { ...makeCallback(), deviceIds: [17] }, 'has an unexpected type at deviceIds.0'],
    [
      'a list of bare ICCIDs',
      text.replace(/"deviceIds":\[[^\]]*\]/, `"deviceIds":[${iccid}]`),
      'has an unexpected type at deviceIds.0',
    ],
    [
      'a fault that is a long number',
      text.replace('"status"', '"faultResponse":12345678901234567890,"status"'),
      'has an unexpected type at faultResponse',
    ],
    [
      'a response that is a long number',
      text.replace('"status"', '"x":0,"status"').replace(/"deviceResponse":.*"x"/, '"deviceResponse":1e99,"x"'),
      'has an unexpected type at deviceResponse.0',
    ],
    [
      'a response that is a text',
      { ...makeCallback(), deviceResponse: 'canary-secret' },
      'has an unexpected type at deviceResponse.0',
    ],
    ['no requestId', without('requestId'), 'has no requestId'],
    ['a requestId that is null', { ...makeCallback(), requestId: null }, 'has no requestId'],
    ['a requestId that is a number', { ...makeCallback(), requestId: 17 }, 'has an unexpected type at requestId'],
    ['an empty requestId', { ...makeCallback(), requestId: '' }, 'has an unexpected type at requestId'],
    ['an endless requestId', { ...makeCallback(), requestId: 'x'.repeat(129) }, 'has an unexpected type at requestId'],
    ['a status that is an object', { ...makeCallback(), status: { canary: 1 } }, 'has an unexpected type at status'],
    ['a counter that is a list', { ...makeCallback(), callbackCount: [1] }, 'has an unexpected type at callbackCount'],
    [
      'a state that is a number',
      text.replace('"state":"ACTIVE"', '"state":1'),
      'has an unexpected type at deviceResponse.0.deviceProfileResponse.0.state',
    ],
    ['a key twice', text.replace('"state"', '"state":"canary-secret","state"'), 'duplicate-key'],
    ['NUL', text.replace('ACTIVE', '\\u0000'), 'nul-character'],
    ['a lone surrogate', text.replace('ACTIVE', '\\udfff'), 'lone-surrogate'],
    ['invalid UTF-8', Buffer.from(text.replace('ACTIVE', 'ÿ'), 'latin1'), 'invalid-utf8'],
    [
      'one field in two spellings',
      { ...makeCallback(), RequestId: 'canary-secret' },
      'requestId stands under two spellings',
    ],
    ['two lists of devices', { ...makeCallback(), Device: [] }, 'deviceIds stands under two spellings'],
    [
      'an id in two spellings',
      { ...makeCallback(), deviceIds: [{ kind: 'iccid', id: '1', Identifier: '2' }] },
      'id stands under two spellings',
    ],
  ]
  for (const [name, content, reason] of cases) t.match({ name, ...read(content) }, { name, kind: 'unreadable', reason })
})

t.test('an unreadable message still tells its requestId and its counter where those are sane', async t => {
  const text = JSON.stringify(makeCallback({ callbackCount: 2 }))
  t.match(read(text.replaceAll(`"${iccid}"`, iccid)), { kind: 'unreadable', requestId, callbackCount: 2 })
  t.match(read(text.replace(requestId, 'a b')), { kind: 'reports', requestId: 'a b' }, 'any text is a requestId')
  t.match(read(text.replace(requestId, '\\u0000')), { kind: 'unreadable', requestId: null })
})

t.test('prototype keys are inert', async t => {
  const inner = '"__proto__":{"requestId":"x","status":"SUCCESS"},"constructor":{"deviceIds":[]},"hasOwnProperty":1,'
  const text = JSON.stringify(makeCallback()).replaceAll('{', `{${inner}`)
  t.strictSame(only(text), only(makeCallback()))
  t.match(read(`{${inner}"toString":1}`), { kind: 'unreadable', requestId: null, reason: 'has no requestId' })
  t.equal(({} as Any).requestId, undefined)
})

holds(
  t,
  'any message is read as something, with identifiers that are not empty, and never thrown at',
  fc.property(
    fc.oneof(
      anyCallback,
      fc.dictionary(
        fc.constantFrom(
          'requestId',
          'deviceIds',
          'deviceResponse',
          'faultResponse',
          'status',
          'callbackCount',
          '__proto__',
        ),
        fc.jsonValue({ maxDepth: 3 }),
      ),
    ),
    message => {
      const reading = read(message)
      if (reading.kind !== 'reports') return typeof reading.reason === 'string'
      return reading.reports.every(({ identifiers }) => {
        const named = Object.values(identifiers).filter(id => id !== null)
        return named.length > 0 && !named.includes('')
      })
    },
  ),
  1_000,
)

holds(
  t,
  'however a delivery lists its devices, it says the same of each',
  fc.property(anyCallback, fc.nat(), (message, seed) => {
    const said = (content: unknown) => {
      const reading = read(content)
      return reading.kind === 'reports' ? reading.reports.map(report => JSON.stringify(report)).sort() : [reading.kind]
    }
    return JSON.stringify(said(rewritten(message, randomFrom(seed)))) === JSON.stringify(said(message))
  }),
  2_000,
)
