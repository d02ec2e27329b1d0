import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { CannotOpen, createSealer, keyIdOf } from '../../src/secrets/sealer.ts'
import { holds } from '../fixtures/holds.ts'

const key = randomBytes(32)
const oldKey = randomBytes(32)
const plain = Buffer.from('device-secret')

t.test('what is sealed opens again, with the same key in the same row', async t => {
  const sealer = createSealer(key)
  const { sealed, keyId } = sealer.seal(plain, 'callback:1')
  t.equal(keyId, sealer.currentKeyId)
  t.strictSame(sealer.open(sealed, keyId, 'callback:1'), plain)
  t.strictSame(createSealer(Buffer.from(key)).open(sealed, keyId, 'callback:1'), plain, 'by any sealer of that key')
  t.notOk(sealed.includes('device-secret'), 'it is not in clear')
})

t.test('the same secret is sealed differently each time', async t => {
  const sealer = createSealer(key)
  const sealed = new Set(Array.from({ length: 2_000 }, () => sealer.seal(plain, 'row').sealed.toString('hex')))
  const nonces = new Set([...sealed].map(hex => hex.slice(0, 24)))
  t.strictSame([sealed.size, nonces.size], [2_000, 2_000])
})

t.test('sealed bytes that are moved to another row do not open', async t => {
  const sealer = createSealer(key)
  const { sealed, keyId } = sealer.seal(plain, 'callback:1')
  for (const row of ['callback:2', 'callback:', '', 'Callback:1']) {
    t.throws(
      () => sealer.open(sealed, keyId, row),
      { name: 'CannotOpen', message: /changed, or belong to another row/ },
      row,
    )
  }
})

t.test('the current key seals, the previous ones still open', async t => {
  const before = createSealer(oldKey).seal(plain, 'row')
  const rotated = createSealer(key, [randomBytes(32), oldKey])
  t.strictSame(rotated.open(before.sealed, before.keyId, 'row'), plain)
  const after = rotated.seal(plain, 'row')
  t.equal(after.keyId, keyIdOf(key))
  t.strictSame(createSealer(key).open(after.sealed, after.keyId, 'row'), plain)
})

t.test('without its key nothing opens, and the error says what to do', async t => {
  const { sealed, keyId } = createSealer(oldKey).seal(plain, 'row')
  const sealer = createSealer(key)
  t.throws(() => sealer.open(sealed, keyId, 'row'), {
    name: 'CannotOpen',
    message: `no key with id ${keyId}: add it to SEAL_KEYS_PREVIOUS`,
  })
  t.throws(() => sealer.open(sealed, sealer.currentKeyId, 'row'), CannotOpen, 'under a wrong key id neither')
})

t.test('a key id tells keys apart and nothing of the key', async t => {
  t.match(keyIdOf(key), /^[0-9a-f]{12}$/)
  t.equal(keyIdOf(key), keyIdOf(Buffer.from(key)))
  t.not(keyIdOf(key), keyIdOf(oldKey))
  t.notOk(key.toString('hex').includes(keyIdOf(key)))
})

t.test('bytes that were cut short do not open, nor does a shorter tag', async t => {
  const sealer = createSealer(key)
  const { sealed, keyId } = sealer.seal(plain, 'row')
  for (let length = 0; length < sealed.length; length += 1) {
    const cut = sealed.subarray(0, length)
    t.throws(() => sealer.open(cut, keyId, 'row'), CannotOpen, `${length} of ${sealed.length} bytes`)
  }
  const { sealed: empty } = sealer.seal(Buffer.alloc(0), 'row')
  t.equal(sealer.open(empty, keyId, 'row').length, 0)
  for (const tagBytes of [4, 8, 12, 15]) {
    t.throws(
      () => sealer.open(empty.subarray(0, 12 + tagBytes), keyId, 'row'),
      CannotOpen,
      `a tag of ${tagBytes} bytes`,
    )
  }
})

holds(
  t,
  'one bit that changed anywhere is noticed',
  fc.property(fc.uint8Array({ maxLength: 60 }), fc.string(), fc.nat(), (content, row, at) => {
    const sealer = createSealer(key, [oldKey])
    const { sealed, keyId } = sealer.seal(Buffer.from(content), row)
    if (!sealer.open(sealed, keyId, row).equals(content)) return false
    const bit = at % (sealed.length * 8)
    const tampered = Buffer.from(sealed)
    tampered[bit >> 3] = (tampered[bit >> 3] as number) ^ (1 << (bit & 7))
    try {
      sealer.open(tampered, keyId, row)
      return false
    } catch (error) {
      return error instanceof CannotOpen
    }
  }),
)
