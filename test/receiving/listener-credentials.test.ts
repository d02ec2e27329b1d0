import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { credentialsDigest } from '../../src/listeners/credentials-digest.ts'
import { isAuthentic } from '../../src/receiving/listener-credentials.ts'
import { holds } from '../fixtures/holds.ts'
import { readMessage } from '../fixtures/read-message.ts'

const key = randomBytes(32)
const accepting = (...pairs: [username: string, password: string][]) => ({
  accountName: '0000123456-00001',
  serviceName: 'CarrierService',
  accepted: pairs.map(([username, password]) => ({
    key,
    digest: credentialsDigest(key, username, password),
    until: Number.POSITIVE_INFINITY,
  })),
})
const listener = accepting(['listener', 'current'], ['listener', 'previous'])
const authentic = (content: unknown, by = listener) => isAuthentic(by, readMessage(content))

t.test('the current and the previous credentials are taken', async t => {
  t.ok(authentic({ username: 'listener', password: 'current' }))
  t.ok(authentic({ requestId: 'r', password: 'previous', username: 'listener' }))
  t.ok(authentic({ UserName: 'listener', PASSWORD: 'current' }), 'in any case of their keys')
  t.ok(authentic('{"\\u0075sername":"listener","password":"\\u0063urrent"}'), 'however they are escaped')
})

t.test('anything else is not', async t => {
  const cases: [name: string, content: unknown][] = [
    ['nothing', {}],
    ['no password', { username: 'listener' }],
    ['no username', { password: 'current' }],
    ['a wrong password', { username: 'listener', password: 'wrong' }],
    ['a wrong username', { username: 'Listener', password: 'current' }],
    ['the two exchanged', { username: 'current', password: 'listener' }],
    ['empty ones', { username: '', password: '' }],
    ['the beginning of the password', { username: 'listener', password: 'curren' }],
    ['a longer password', { username: 'listener', password: 'current ' }],
    ['the two run together', { username: 'listenercurrent', password: '' }],
    ['null', { username: null, password: null }],
    ['a password in a list', { username: 'listener', password: ['current'] }],
    ['a password as an object', { username: 'listener', password: { current: 1 } }],
    ['credentials below the top', { x: { username: 'listener', password: 'current' } }],
    ['a password under two spellings', { username: 'listener', password: 'current', Password: 'current' }],
    ['a username under two spellings', { username: 'listener', USERNAME: 'x', password: 'current' }],
    ['a password that stands twice', '{"username":"listener","password":"current","password":"current"}'],
    ['a password that stands twice, once escaped', '{"username":"listener","password":"x","\\u0070assword":"current"}'],
    ['a username that stands twice', '{"username":"x","username":"listener","password":"current"}'],
    ['a prototype that has them', '{"__proto__":{"username":"listener","password":"current"}}'],
  ]
  for (const [name, content] of cases) t.notOk(authentic(content), name)
})

t.test('another key that stands twice does not make a message less authentic', async t => {
  t.ok(authentic('{"username":"listener","password":"current","a":1,"a":2}'))
  t.ok(
    authentic('{"username":"listener","password":"current","x":{"password":1,"password":2}}'),
    'nor a password below',
  )
})

t.test('a password that is a number is none', async t => {
  t.notOk(authentic({ username: 'listener', password: 17 }, accepting(['listener', '17'])))
  t.notOk(authentic('{"username":"listener","password":1e99}', accepting(['listener', '1e99'])))
})

t.test('a listener without credentials takes nothing', async t => {
  for (const content of [{}, { username: '', password: '' }]) t.notOk(authentic(content, accepting()))
})

t.test('a digest has one length, needs its key, and keeps username and password apart', async t => {
  t.equal(credentialsDigest(key, '', '').length, 32)
  t.equal(credentialsDigest(key, 'x'.repeat(10_000), 'ü').length, 32)
  t.notSame(credentialsDigest(key, 'ab', 'c'), credentialsDigest(key, 'a', 'bc'))
  t.notSame(credentialsDigest(key, 'a","b', 'c'), credentialsDigest(key, 'a', 'b","c'))
  t.notSame(credentialsDigest(key, 'a', 'b'), credentialsDigest(randomBytes(32), 'a', 'b'))
})

holds(
  t,
  'whatever the credentials are, only they are taken',
  fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (username, password, otherName, otherPassword) => {
    const by = accepting([username, password])
    const same = otherName === username && otherPassword === password
    return (
      authentic({ username, password }, by) && authentic({ username: otherName, password: otherPassword }, by) === same
    )
  }),
)
