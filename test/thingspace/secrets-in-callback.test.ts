import fc from 'fast-check'
import t from 'tap'
import { type Secrets, sealedMark, takeSecretsOut } from '../../src/thingspace/secrets-in-callback.ts'
import { type Any, anyCallback, leavesOf } from '../fixtures/any-callback.ts'
import { holds } from '../fixtures/holds.ts'
import { makeCallback } from '../fixtures/make-callback.ts'
import { readMessage } from '../fixtures/read-message.ts'

const take = (content: unknown) => takeSecretsOut(readMessage(content).message)

t.test('listener credentials are dropped, device credentials are taken out, all else stays as it came', async t => {
  const message = makeCallback({ username: 'listener', password: 'listener-secret', secret: 'device-secret' })
  const { body, secrets } = take(message)
  const expected = JSON.stringify(message)
    .replace('"listener"', '"[sealed]"')
    .replace('"listener-secret"', '"[sealed]"')
    .replace(/"deviceCredential":\{[^}]*\}/, '"deviceCredential":"[sealed]"')
  t.equal(body, expected)
  t.strictSame(secrets, {
    '/deviceResponse/deviceProfileResponse/deviceCredential': {
      username: 'user@example.invalid',
      password: 'device-secret',
    },
  })
})

t.test('a message without secrets has none to seal, and is left alone', async t => {
  const message = { requestId: 'r', deviceIds: [{ kind: 'eid' }], status: 'Success', more: [[], {}, null, 1] }
  t.strictSame(take(message), { body: JSON.stringify(message), secrets: null })
  t.strictSame(take({ ...message, username: '', password: '' }).secrets, null, 'nor one with listener credentials only')
})

t.test('a secret is found wherever it stands, under any of its names', async t => {
  const cases: [content: unknown, body: string, secrets: Secrets | null][] = [
    [{ Username: 'a', PASSWORD: 'b' }, '{"Username":"[sealed]","PASSWORD":"[sealed]"}', null],
    [{ username: null, password: 7 }, '{"username":"[sealed]","password":"[sealed]"}', null],
    [{ x: { user: 'a' } }, '{"x":{"user":"a"}}', null],
    [{ x: { Password: 'b' } }, '{"x":{"Password":"[sealed]"}}', { '/x/Password': 'b' }],
    [{ deviceCredential: null }, '{"deviceCredential":null}', null],
    [{ DeviceCredential: ['b'] }, '{"DeviceCredential":"[sealed]"}', { '/DeviceCredential': ['b'] }],
    [
      { a: [[{ token: 'b' }], { secret: false }] },
      '{"a":[[{"token":"[sealed]"}],{"secret":"[sealed]"}]}',
      { '/a/0/0/token': 'b', '/a/1/secret': false },
    ],
    [{ 'a/b': { 'm~n': { passwd: 'c' } } }, '{"a/b":{"m~n":{"passwd":"[sealed]"}}}', { '/a~1b/m~0n/passwd': 'c' }],
    [{ '': { password: 'c' } }, '{"":{"password":"[sealed]"}}', { '//password': 'c' }],
    [
      '{"__proto__":{"password":"c"},"b":1}',
      '{"__proto__":{"password":"[sealed]"},"b":1}',
      { '/__proto__/password': 'c' },
    ],
    ['{"n":89148000000000000001,"x":{"n":1.0}}', '{"n":89148000000000000001,"x":{"n":1.0}}', null],
  ]
  for (const [content, body, secrets] of cases) t.strictSame(take(content), { body, secrets }, body)
})

t.test('a secret that is a long number keeps its digits', async t => {
  const { body, secrets } = take('{"x":{"token":89148000000000000001}}')
  t.equal(body, '{"x":{"token":"[sealed]"}}')
  t.equal(JSON.stringify(secrets), '{"/x/token":89148000000000000001}')
})

t.test('the message itself is not changed', async t => {
  const { message } = readMessage(makeCallback({ username: 'u', password: 'p' }))
  const before = JSON.stringify(message)
  takeSecretsOut(message)
  t.equal(JSON.stringify(message), before)
})

const secretName = fc.constantFrom(
  ...['deviceCredential', 'DEVICECREDENTIALS', 'credential', 'Credentials', 'password', 'Passwd', 'SECRET', 'token'],
  ...['accessToken', 'client_secret', 'api-key', 'PWD', 'passphrase', 'privateKey', 'user_name', 'Authorization'],
  ...['password2', 'passCode', 'passkey', 'secretAccessKey', 'secret_key', 'simPin', 'PUK1', 'apiKeys'],
)
const canary = 'canary-which-is-secret'

holds(
  t,
  'no secret is left in the body, and put back they make the message again',
  fc.property(anyCallback, secretName, fc.nat(), (callback, name, at) => {
    const planted = plant(callback, name, at)
    const { message } = readMessage(planted)
    const { body, secrets } = takeSecretsOut(message)
    const left = JSON.parse(body) as Any
    for (const [pointer, secret] of Object.entries(secrets ?? {})) putBack(left, pointer, secret)
    for (const name of ['username', 'password']) if (Object.hasOwn(left, name)) left[name] = (message as Any)[name]
    return !body.includes(canary) && body.includes(sealedMark) && JSON.stringify(left) === JSON.stringify(message)
  }),
)

/** The callback with a secret as a new member of one of its objects. */
function plant(callback: Any, name: string, at: number): Any {
  const planted = JSON.parse(JSON.stringify(callback)) as Any
  const paths = [[], ...leavesOf(planted).map(path => path.slice(0, -1))]
  const inside = (paths[at % paths.length] ?? []).reduce<Any>((value, step) => value[step], planted)
  const into = Array.isArray(inside) ? planted : inside
  into[name] = at % 2 === 0 ? canary : { username: canary, password: [canary] }
  return planted
}

function putBack(value: Any, pointer: string, secret: unknown): void {
  const steps = pointer
    .slice(1)
    .split('/')
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = steps.pop() ?? ''
  steps.reduce((inside, step) => inside[step], value)[last] = secret
}
