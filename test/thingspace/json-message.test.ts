import fc from 'fast-check'
import t from 'tap'
import { rawNumber, readJsonMessage } from '../../src/thingspace/json-message.ts'
import { anyCallback, rewritten } from '../fixtures/any-callback.ts'
import { holds } from '../fixtures/holds.ts'
import { bytesOf, readMessage } from '../fixtures/read-message.ts'

const canary = 'canary-password'

t.test('what is no JSON object is refused with a reason that quotes nothing of it', async t => {
  const cases: [name: string, content: string | Buffer, problem: RegExp][] = [
    ['nothing', '', /^the body is empty$/],
    ['white space', ' \r\n\t', /^the body is empty$/],
    ['a byte-order mark alone', '\ufeff', /^the body is empty$/],
    ['an array', `["${canary}"]`, /^the body is JSON but not an object$/],
    ['a text', `"${canary}"`, /not an object/],
    ['a number', '17', /not an object/],
    ['a number that a double cannot hold', '12345678901234567890', /not an object/],
    ['the same on a line', '12345678901234567890\n', /not an object/],
    ['null', 'null', /not an object/],
    ['cut short', `{"password":"${canary}`, /^the body is not valid JSON$/],
    ['trailing garbage', `{"a":1} ${canary}`, /not valid JSON/],
    ['two objects', '{"a":1}{"b":2}', /not valid JSON/],
    ['a comma too many', '{"a":1,}', /not valid JSON/],
    ['a raw NUL in a text', '{"a":"\u0000"}', /not valid JSON/],
    ['two byte-order marks', '\ufeff\ufeff{"a":1}', /not valid JSON/],
    ['form data', `username=a&password=${canary}`, /not valid JSON/],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le'), /not valid JSON/],
    ['noise', Buffer.from([0xff, 0xfe, 0x00, 0x93]), /not valid JSON/],
    ['noise that starts like XML', `<<${canary}`, /not valid JSON/],
    ['a lonely less-than', '< 5', /not valid JSON/],
  ]
  for (const [name, content, problem] of cases) {
    const json = readJsonMessage(bytesOf(content))
    t.match({ name, ...json }, { name, ok: false, problem })
    t.notMatch(JSON.stringify(json), canary, `${name}: nothing is quoted`)
  }
})

t.test('an XML body is told from garbage, with what to do about it', async t => {
  const cases = [
    '<?xml version="1.0"?><soap:Envelope/>',
    '\ufeff<?xml version="1.0"?><a/>',
    ' \n<soapenv:Envelope xmlns:soapenv="..."/>',
    '<!-- from UWS --><Callback/>',
    '<CarrierServiceCallback><Password>x</Password></CarrierServiceCallback>',
  ]
  for (const xml of cases) {
    t.match(readJsonMessage(bytesOf(xml)), { ok: false, problem: /XML.*SOAP.*register it through the REST API/ }, xml)
  }
})

t.test('64 levels are read and 65 are not', async t => {
  const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const lists = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
  for (const nested of [objects, lists]) {
    t.match(readJsonMessage(bytesOf(nested(64))), { ok: true, defects: { length: 0 } })
    t.match(readJsonMessage(bytesOf(nested(65))), { ok: false, problem: /deeper than 64/ })
  }
  t.match(readJsonMessage(bytesOf(`{"a":"${'[{'.repeat(100)}"}`)), { ok: true }, 'brackets in a text are no levels')
  t.match(readJsonMessage(bytesOf('['.repeat(60_000))), { ok: false, problem: /deeper than 64/ })
  t.match(readJsonMessage(bytesOf(`{${'"a":[],'.repeat(100)}"b":1}`)), { ok: true }, 'side by side is not deep')
})

t.test('a byte-order mark is skipped', async t => {
  t.match(readMessage('\ufeff{"a":1}'), { message: { a: 1 }, text: '{"a":1}', defects: { length: 0 } })
})

t.test('a key that stands twice in one object is told, at any depth and however it is written', async t => {
  const cases: [text: string, keys: { key: string; depth: number }[]][] = [
    ['{"a":1,"a":1}', [{ key: 'a', depth: 1 }]],
    ['{"a":1,"\\u0061":2}', [{ key: 'a', depth: 1 }]],
    ['{"b":{"a":1,"a" \n :2}}', [{ key: 'a', depth: 2 }]],
    ['{"b":[{"c":[{"a":1,"x":0,"a":2}]}]}', [{ key: 'a', depth: 5 }]],
    ['{"a":{"a":1},"a":2}', [{ key: 'a', depth: 1 }]],
    [
      '{"a":1,"a":2,"a":3}',
      [
        { key: 'a', depth: 1 },
        { key: 'a', depth: 1 },
      ],
    ],
    ['{"a":"\\\\","a":1}', [{ key: 'a', depth: 1 }]],
    ['{"":1,"":2}', [{ key: '', depth: 1 }]],
    ['{"__proto__":1,"__proto__":2}', [{ key: '__proto__', depth: 1 }]],
    ['{"a\\"b":1,"a\\u0022b":2}', [{ key: 'a"b', depth: 1 }]],
    ['{"n":12345678901234567890,"b":{"a":1,"a":2}}', [{ key: 'a', depth: 2 }]],
  ]
  for (const [text, duplicateKeys] of cases) {
    t.match(readMessage(text), { defects: ['duplicate-key'], duplicateKeys }, text)
    t.equal(readMessage(text).duplicateKeys.length, duplicateKeys.length, text)
  }
  const innocent = [
    '{"a":{"a":1},"b":{"a":1}}',
    '{"a":"a\\":1,\\"a","b":":"}',
    '{"a":[{"a":1},{"a":1}]}',
    '{"a":"\\\\","b":"\\\\\\"","c":1}',
    '{"a":1,"A":1}',
  ]
  for (const text of innocent) {
    const { defects, duplicateKeys } = readMessage(text)
    t.strictSame([defects, duplicateKeys], [[], []], text)
  }
})

t.test('U+0000, lone surrogates and invalid UTF-8 are told, in values and in keys', async t => {
  const cases: [name: string, content: string | Buffer, defects: string[]][] = [
    ['NUL', '{"a":"x\\u0000"}', ['nul-character']],
    ['NUL in a key', '{"a":{"\\u0000":1}}', ['nul-character']],
    ['a lone high surrogate', '{"a":["\\ud800"]}', ['lone-surrogate']],
    ['a lone low surrogate in a key', '{"\\uDC00":1}', ['lone-surrogate']],
    ['a pair the wrong way round', '{"a":"\\udc00\\ud800"}', ['lone-surrogate']],
    ['both', '{"a":"\\ud800\\u0000"}', ['nul-character', 'lone-surrogate']],
    ['a proper pair', '{"a":"\\ud83d\\ude00"}', []],
    ['an escaped backslash before a u', '{"a":"\\\\u0000"}', []],
    ['Latin-1', Buffer.from('{"a":"\u00ff"}', 'latin1'), ['invalid-utf8']],
    [
      'an overlong form',
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0x80]), Buffer.from('"}')]),
      ['invalid-utf8'],
    ],
    [
      'a surrogate in UTF-8',
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
      ['invalid-utf8'],
    ],
    ['proper UTF-8', '{"a":"ÿ😀"}', []],
  ]
  for (const [name, content, defects] of cases) t.strictSame(readMessage(content).defects, defects, name)
})

t.test('a number keeps the digits it came with', async t => {
  const exact = [
    '89148000000000000001',
    '0.1000',
    '1e2',
    '1E400',
    '-0',
    '1.0',
    '123456789012345678',
    '-12345678901234567',
  ]
  for (const digits of exact) {
    const { message } = readMessage(`{"a":[${digits}],"b":true}`)
    t.equal(rawNumber((message.a as unknown[])[0]), digits, digits)
    t.equal(JSON.stringify(message), `{"a":[${digits}],"b":true}`, 'and is written as it came')
  }
  for (const digits of ['0', '-1', '17', '999999999999999', '0.5']) {
    t.equal(JSON.stringify(readMessage(`{"a":${digits}}`).message), `{"a":${digits}}`, digits)
    t.equal(readMessage(`{"a":${digits}}`).message.a, Number(digits))
  }
})

t.test('prototype keys are keys like any other', async t => {
  const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x","n":1e400}'
  const { message, defects } = readMessage(text)
  t.strictSame(defects, [])
  t.equal(JSON.stringify(message), text, 'nothing is lost')
  t.equal(({} as { polluted?: number }).polluted, undefined, 'nothing is polluted')
  t.equal(Object.getPrototypeOf(message), Object.prototype)
})

holds(
  t,
  'any message is read as JSON.parse reads it, without defects',
  fc.property(anyCallback, fc.nat(), (message, seed) => {
    const text = rewritten(message, randomFrom(seed))
    const json = readMessage(text)
    return json.defects.length === 0 && JSON.stringify(json.message) === JSON.stringify(JSON.parse(text))
  }),
)

holds(
  t,
  'bytes of any kind are refused or read, and never thrown at',
  fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), jsonLikeBytes()), bytes => {
    const json = readJsonMessage(Buffer.from(bytes))
    let plain: unknown
    try {
      plain = JSON.parse(
        Buffer.from(bytes)
          .toString()
          .replace(/^\ufeff/, ''),
      )
    } catch {
      plain = undefined
    }
    return json.ok === (typeof plain === 'object' && plain !== null && !Array.isArray(plain))
  }),
  2_000,
)

function jsonLikeBytes() {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\\',
    '\\u0000',
    '\\ud800',
    'a',
    '"a"',
    '"a":1',
    '1',
    '1e9',
    'true',
    ' ',
    '\ufeff',
    '-',
    '.',
  ]
  return fc.array(fc.constantFrom(...pieces), { maxLength: 14 }).map(all => Buffer.from(all.join('')))
}

function randomFrom(seed: number): () => number {
  let state = seed + 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
