import fc from 'fast-check'
import t from 'tap'
import { canonicalMessage } from '../../src/thingspace/canonical.ts'
import { fingerprint } from '../../src/thingspace/fingerprint.ts'
import { type Any, anyCallback, changed, leavesOf, objectOf, rewritten } from '../fixtures/any-callback.ts'
import { holds } from '../fixtures/holds.ts'
import { makeCallback } from '../fixtures/make-callback.ts'
import { bytesOf, readMessage } from '../fixtures/read-message.ts'
import { loadSamples } from '../fixtures/samples.ts'

const key = Buffer.alloc(32, 1)

function fingerprintOf(content: unknown, { account = '0000123456-00001', by = key } = {}): string {
  const bytes = bytesOf(content)
  return fingerprint(by, account, readMessage(bytes), bytes)
}

const base = makeCallback({ username: 'listener', password: 'current' })
const text = JSON.stringify(base)

t.test('a fingerprint is a UUID that needs the key, and differs by account', async t => {
  t.match(fingerprintOf(base), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  t.equal(fingerprintOf(base), fingerprintOf(base, { by: Buffer.from(key) }), 'an equal key gives an equal fingerprint')
  t.not(fingerprintOf(base), fingerprintOf(base, { by: Buffer.alloc(32, 2) }))
  t.not(fingerprintOf(base), fingerprintOf(base, { account: '0000123456-00002' }))
})

t.test('two deliveries of one message are the same message', async t => {
  const { username: _, password: __, callbackCount: ___, maxCallbackThreshold: ____, ...bare } = base
  const cases: [name: string, content: unknown][] = [
    ['another attempt', { ...base, callbackCount: 2 }],
    ['a counter as a text', { ...base, callbackCount: '1', maxCallbackThreshold: '4' }],
    ['another password, around a rotation', { ...base, password: 'previous' }],
    ['other credentials', { ...base, username: 'x', password: '' }],
    ['without the four', bare],
    ['the four in another case', { ...bare, CallbackCount: 3, MAXCALLBACKTHRESHOLD: 9, Username: 'y', PassWord: 'z' }],
    ['keys the other way round', objectOf(Object.entries(base).toReversed())],
    ['white space', JSON.stringify(base, null, '\t')],
    ['a byte-order mark', `\ufeff${text}`],
    ['escapes', text.replace('ACTIVE', '\\u0041CTIVE').replace('"deviceIds"', '"deviceId\\u0073"')],
    ['device ids in another order', { ...base, deviceIds: (base.deviceIds as object[]).toReversed() }],
    ['kinds in another case', text.replaceAll('"Iccid"', '"ICCID"').replaceAll('"mdn"', '"Mdn"')],
  ]
  for (const [name, content] of cases) t.equal(fingerprintOf(content), fingerprintOf(base), name)

  const pascal = {
    RequestId: 'r',
    Device: [
      { Kind: 'Iccid', Identifier: '1' },
      { Kind: 'Eid', Identifier: '2' },
    ],
  }
  const turned = {
    Device: [
      { Identifier: '2', Kind: 'EID' },
      { Identifier: '1', Kind: 'iccid' },
    ],
    RequestId: 'r',
  }
  t.equal(fingerprintOf(turned), fingerprintOf(pascal), 'in PascalCase')
  const listed = (callbackCount: number) => ({ requestId: 'r', deviceResponse: [{ status: 'SUCCESS', callbackCount }] })
  t.equal(fingerprintOf(listed(1)), fingerprintOf(listed(2)), 'a counter in the device response')
})

t.test('any other difference makes another message', async t => {
  const cases: [name: string, one: unknown, other: unknown][] = [
    ['the status in another case', base, { ...base, status: 'Success' }],
    ['a key in another case', base, text.replace('"requestId"', '"RequestId"')],
    ['a field more', base, { ...base, extra: null }],
    ['a number and its text', { a: 1 }, { a: '1' }],
    ['null and nothing', { a: null }, {}],
    ['false and null', { a: false }, { a: null }],
    ['an object and a list of it', { a: {} }, { a: [{}] }],
    ['an empty list and an empty object', { a: [] }, { a: {} }],
    ['a list in another order', { a: [1, 2] }, { a: [2, 1] }],
    ['a device id twice', { deviceIds: [{ id: '1' }] }, { deviceIds: [{ id: '1' }, { id: '1' }] }],
    [
      'ids that changed kinds',
      {
        deviceIds: [
          { id: '1', kind: 'a' },
          { id: '2', kind: 'b' },
        ],
      },
      {
        deviceIds: [
          { id: '2', kind: 'a' },
          { id: '1', kind: 'b' },
        ],
      },
    ],
    ['an id in another case', { deviceIds: [{ id: 'a1' }] }, { deviceIds: [{ id: 'A1' }] }],
    ['a kind elsewhere in another case', { more: { kind: 'a' } }, { more: { kind: 'A' } }],
    ['a kind with a space', { deviceIds: [{ kind: 'a' }] }, { deviceIds: [{ kind: 'a ' }] }],
    ['a device credential', base, text.replace('device-secret', 'another-secret')],
    ['credentials below the top', { a: { username: 'x' } }, { a: { username: 'y' } }],
    ['a password in the device response', { deviceResponse: { password: 'x' } }, { deviceResponse: { password: 'y' } }],
    ['a counter elsewhere', { a: { callbackCount: 1 } }, { a: { callbackCount: 2 } }],
    [
      'a counter in a device response elsewhere',
      { a: { deviceResponse: { callbackCount: 1 } } },
      { a: { deviceResponse: { callbackCount: 2 } } },
    ],
    [
      'a counter in a profile',
      { deviceResponse: { deviceProfileResponse: { callbackCount: 1 } } },
      { deviceResponse: { deviceProfileResponse: { callbackCount: 2 } } },
    ],
    ['numbers that one double would hold', '{"a":89148000000000000001}', '{"a":89148000000000000000}'],
    ['a long number and its text', '{"a":89148000000000000001}', '{"a":"89148000000000000001"}'],
    ['a long number and an object that looks like one', '{"a":1e99}', { a: { rawJSON: '1e99' } }],
    ['the same among device ids', '{"deviceIds":[1e99]}', { deviceIds: [{ rawJSON: '1e99' }] }],
    ['__proto__', '{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}'],
    ['__proto__ in a device id', '{"deviceIds":[{"__proto__":1}]}', '{"deviceIds":[{"__proto__":2}]}'],
    ['NUL and its escape', '{"a":"\\u0000"}', '{"a":"\\\\u0000"}'],
    ['a lone surrogate and the replacement character', '{"a":"\\ud800"}', '{"a":"\\ufffd"}'],
    ['a quote that ends a text', { a: '","b":"' }, { a: '', b: '' }],
    ['text that looks like more members', { a: '1', b: '2' }, { a: '1","b":"2' }],
    ['composed and decomposed letters', { a: 'é' }, { a: 'e\u0301' }],
  ]
  for (const [name, one, other] of cases) t.not(fingerprintOf(one), fingerprintOf(other), name)
})

t.test('where the text is ambiguous the bytes decide', async t => {
  const twice = (first: string, second: string) => `{"a":${first},"a":${second},"callbackCount":1}`
  t.equal(fingerprintOf(twice('1', '2')), fingerprintOf(twice('1', '2')))
  t.not(fingerprintOf(twice('1', '2')), fingerprintOf(twice('3', '2')), 'though JSON.parse sees no difference')
  t.not(fingerprintOf(twice('1', '2')), fingerprintOf('{"a":2,"callbackCount":1}'))
  const bad = (byte: number) => Buffer.concat([Buffer.from('{"a":"'), Buffer.from([byte]), Buffer.from('"}')])
  t.equal(fingerprintOf(bad(0xff)), fingerprintOf(bad(0xff)))
  t.not(fingerprintOf(bad(0xff)), fingerprintOf(bad(0xfe)), 'though both decode to the replacement character')
  t.not(fingerprintOf(bad(0xff)), fingerprintOf('{"a":"\ufffd"}'))
})

t.test('of the samples, only deliveries of one message are the same', async t => {
  const groups = Map.groupBy(loadSamples().values(), ({ body }) => fingerprintOf(body))
  const same = [...groups.values()]
    .map(group => group.map(({ name }) => name).sort())
    .filter(({ length }) => length > 1)
  t.strictSame(same, [
    [
      'euicc-activate-enable-lowercase-kinds',
      'gio-activate-redelivery-count-2',
      'gio-activate-success-as-documented',
      'gio-activate-success-counts-as-strings',
      'gio-activate-success-with-listener-credentials',
      'gio-bulk-profile-1-of-2',
    ],
  ])
})

const random = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))
const fromStream = (numbers: Any) => () => numbers.next().value as number
const volatile = ['username', 'password', 'callbackCount', 'maxCallbackThreshold']

holds(
  t,
  'shuffled, respaced, with other attempt counters and credentials it is the same message',
  fc.property(anyCallback, random, fc.subarray(volatile), fc.string(), (message, numbers, dropped, password) => {
    const members = Object.entries(message).filter(([name]) => !dropped.includes(name))
    const delivery = objectOf([...members.filter(([name]) => name !== 'password'), ['password', password]])
    return fingerprintOf(rewritten(delivery, fromStream(numbers))) === fingerprintOf(message)
  }),
)

holds(
  t,
  'with one leaf changed it is another message, unless the leaf is one of the four or the case of a kind',
  fc.property(anyCallback, fc.nat(), random, leafToo(), (message, at, numbers, value) => {
    const leaves = leavesOf(message).filter(path => path.length > 0)
    const path = leaves[at % leaves.length] ?? []
    const other = changed(message, path, before => (before === value ? [value] : value))
    const before = path.reduce<Any>((inside, name) => inside[name], message)
    const allowed = isVolatile(path) || (isKind(path) && lower(before) === lower(value) && before !== value)
    return (fingerprintOf(rewritten(other, fromStream(numbers))) === fingerprintOf(message)) === allowed
  }),
  600,
)

holds(
  t,
  'what is compared is a JSON text that says the message again',
  fc.property(anyCallback, message => {
    const canonical = canonicalMessage(readMessage(message).message)
    return (
      fingerprintOf(canonical) === fingerprintOf(message) &&
      canonicalMessage(readMessage(canonical).message) === canonical
    )
  }),
)

function leafToo() {
  return fc.oneof(fc.string(), fc.integer(), fc.constantFrom(null, true, 'ICCID', 'iccid', 'EID', 'mdn', 'IMEI'))
}

function isVolatile([name = '', ...rest]: string[]): boolean {
  if (volatile.includes(name)) return true
  const inResponse = rest.filter(step => !/^\d+$/.test(step))
  return name === 'deviceResponse' && inResponse.length === 1 && volatile.slice(2).includes(inResponse[0] ?? '')
}

function isKind(path: string[]): boolean {
  const inList = path.some(name => ['deviceIds', 'deviceIdentifierCollection'].includes(name))
  return inList && path.at(-1)?.toLowerCase() === 'kind'
}

function lower(value: unknown): unknown {
  return typeof value === 'string' ? value.toLowerCase() : value
}
