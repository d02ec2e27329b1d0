import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { ConfigError, readConfig } from '../../src/config.ts'

const listener = { CALLBACK_USERNAME: 'name', CALLBACK_PASSWORD: 'password' }
const key = Buffer.alloc(32, 1).toString('base64')

t.test('with nothing set it is the try-out mode on loopback', async t => {
  t.match(readConfig({}), {
    host: '127.0.0.1',
    port: 3000,
    databaseUrl: null,
    dataDir: '.data',
    migrate: true,
    listeners: [],
    tokens: [],
    tryOut: true,
    callbackBodyLimit: 65_536,
    logLevel: 'info',
    expectWithin: { default: 900_000, byOperation: {} },
  })
  t.equal(readConfig({}).allowedSources.length, 10, 'the eight published addresses and loopback')
})

t.test('an empty variable counts as unset', async t => {
  t.match(readConfig({ DATABASE_URL: '', CALLBACK_USERNAME: '', PORT: '' }), { databaseUrl: null, port: 3000 })
})

t.test('a listener and tokens are read', async t => {
  const config = readConfig({
    HOST: '0.0.0.0',
    THINGSPACE_ACCOUNT: '0000123456-00001',
    CALLBACK_USERNAME: 'name',
    CALLBACK_PASSWORD: 'password',
    API_TOKENS: `dashboard:read,metrics:*:${'a'.repeat(64)}; poller:read:a,b:${'B'.repeat(64)}`,
    EXPECT_WITHIN: '20m,download=12h',
  })
  t.match(config, {
    tryOut: false,
    listeners: [{ serviceNames: ['CarrierService', 'DeviceProfileService'], previousPassword: null }],
    tokens: [
      { name: 'dashboard', scopes: ['read', 'metrics'], accounts: ['*'] },
      { name: 'poller', scopes: ['read'], accounts: ['a', 'b'] },
    ],
    expectWithin: { default: 1_200_000, byOperation: { download: 43_200_000 } },
  })
})

t.test('ThingSpace is called with all four credentials or not at all', async t => {
  const access = {
    THINGSPACE_KEY: 'key',
    THINGSPACE_SECRET: 'secret',
    THINGSPACE_USERNAME: 'user',
    THINGSPACE_PASSWORD: 'password',
  }
  t.equal(readConfig({}).thingSpace, null)
  t.strictSame(readConfig(access).thingSpace, {
    baseUrl: 'https://thingspace.verizon.com',
    key: 'key',
    secret: 'secret',
    username: 'user',
    password: 'password',
  })
  t.equal(
    readConfig({ ...access, THINGSPACE_BASE_URL: 'http://127.0.0.1:1/' }).thingSpace?.baseUrl,
    'http://127.0.0.1:1',
  )
})

t.test('what is kept and how requests are capped has sane limits', async t => {
  const day = 86_400_000
  t.match(readConfig({}), {
    keep: { callbacks: 400 * day, history: 400 * day },
    http: { requestTimeout: 10_000, maxHeaderSize: 16_384, maxConnections: 5_000 },
  })
  t.match(readConfig({ KEEP_CALLBACKS: '35d', KEEP_HISTORY: 'forever', REQUEST_TIMEOUT: '2s', MAX_CONNECTIONS: '7' }), {
    keep: { callbacks: 35 * day, history: null },
    http: { requestTimeout: 2_000, maxConnections: 7 },
  })
  for (const [name, value] of [
    ['KEEP_CALLBACKS', '34d'],
    ['KEEP_HISTORY', '23h'],
    ['REQUEST_TIMEOUT', '0s'],
    ['MAX_HEADER_SIZE', '10'],
    ['MAX_CONNECTIONS', '0'],
  ] as const) {
    t.throws(() => readConfig({ [name]: value }), { message: new RegExp(`- ${name}: `) })
  }
})

t.test('*_FILE reads a mounted secret', async t => {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'config-')), 'key')
  await writeFile(file, `${key}\n`)
  t.strictSame(readConfig({ SEAL_KEY_FILE: file }).sealKey, Buffer.alloc(32, 1))
  t.throws(() => readConfig({ SEAL_KEY_FILE: '/no/such/file' }), /SEAL_KEY_FILE: .*ENOENT/)
})

t.test('as many callbacks have a line in the log as is said', async t => {
  t.equal(readConfig({}).logCallbacksPerSecond, 200)
  t.equal(readConfig({ LOG_CALLBACKS_PER_SECOND: '5' }).logCallbacksPerSecond, 5)
  t.equal(readConfig({ LOG_CALLBACKS_PER_SECOND: 'all' }).logCallbacksPerSecond, Number.POSITIVE_INFINITY)
})

t.test('each problem names its variable and how to mend it', async t => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ PORT: '70000' }, /PORT: a whole number from 0 to 65535/],
    [{ DATABASE_URL: 'mysql://x', SEAL_KEY: key }, /DATABASE_URL: must be like postgres:/],
    [{ DATABASE_URL: 'postgres://x' }, /SEAL_KEY: needed with DATABASE_URL.*openssl/],
    [{ SEAL_KEYS_PREVIOUS: 'abc' }, /SEAL_KEYS_PREVIOUS: must be the base64 form of 32 bytes/],
    [{ CALLBACK_USERNAME: 'x' }, /missing: THINGSPACE_ACCOUNT, CALLBACK_PASSWORD/],
    [{ API_TOKENS: 'x' }, /API_TOKENS: each entry is name:scope/],
    [{ API_TOKENS: `x:write:*:${'a'.repeat(64)}` }, /API_TOKENS: write is no scope/],
    [
      { CALLBACK_ALLOWED_SOURCES: '10.0.0.0/8,example.org' },
      /CALLBACK_ALLOWED_SOURCES: example.org is neither an address/,
    ],
    [{ CALLBACK_ALLOWED_SOURCES: '10.0.0.0/64' }, /CALLBACK_ALLOWED_SOURCES/],
    [
      { CALLBACK_ALLOWED_SOURCES: '10.0.0.0/' },
      /CALLBACK_ALLOWED_SOURCES: 10.0.0.0\/ is neither an address nor a CIDR block/,
    ],
    [{ CALLBACK_ALLOWED_SOURCES: '10.0.0.0/8/8' }, /CALLBACK_ALLOWED_SOURCES: 10.0.0.0\/8\/8 is neither an address/],
    [{ CALLBACK_ALLOWED_SOURCES: '10.0.0.0/0x8' }, /CALLBACK_ALLOWED_SOURCES: 10.0.0.0\/0x8 is neither an address/],
    [{ CALLBACK_ALLOWED_SOURCES: '10.0.0.0/255.0.0.0' }, /CALLBACK_ALLOWED_SOURCES: .* is neither an address/],
    [{ CALLBACK_ALLOWED_SOURCES: '2001:db8::/129' }, /CALLBACK_ALLOWED_SOURCES: 2001:db8::\/129 is neither an address/],
    [{ TRUSTED_PROXIES: '10.0.0.0/' }, /TRUSTED_PROXIES: 10.0.0.0\/ is neither an address nor a CIDR block/],
    [{ TRUSTED_PROXIES: '10.0.0.1,10.0.0.0/8/8' }, /TRUSTED_PROXIES: 10.0.0.0\/8\/8 is neither an address/],
    [{ TRUSTED_PROXIES: '0.0.0.0/0' }, /TRUSTED_PROXIES: 0.0.0.0\/0 would trust everybody/],
    [{ CALLBACK_ALLOWED_SOURCES: ' , ' }, /CALLBACK_ALLOWED_SOURCES: no address, so every callback would be refused/],
    [{ THINGSPACE_SERVICES: ' , ' }, /THINGSPACE_SERVICES: callback services such as CarrierService/],
    [{ THINGSPACE_SERVICES: 'CarrierService,Device Service' }, /THINGSPACE_SERVICES: callback services such as/],
    [{ ...listener, THINGSPACE_ACCOUNT: '0000123456/00001' }, /THINGSPACE_ACCOUNT must be a billing account such as/],
    [{ ...listener, THINGSPACE_ACCOUNT: 'a'.repeat(65) }, /THINGSPACE_ACCOUNT must be a billing account such as/],
    [{ KEEP_HISTORY: '0s' }, /KEEP_HISTORY: at least 1d, or who follows the changes would miss some/],
    [{ TRUSTED_PROXIES: 'proxy' }, /TRUSTED_PROXIES: proxy is neither an address/],
    [{ MIGRATE: 'yes' }, /MIGRATE: on or off/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL: one of/],
    [{ LOG_CALLBACKS_PER_SECOND: 'some' }, /LOG_CALLBACKS_PER_SECOND: a whole number from 0 to 1000000, or all/],
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, /OTEL_TRACES_EXPORTER: only otlp and none/],
    [{ EXPECT_WITHIN: 'soon' }, /EXPECT_WITHIN: a time such as/],
    [{ CALLBACK_BODY_LIMIT: '1' }, /CALLBACK_BODY_LIMIT: a whole number/],
    [{ HOST: '0.0.0.0' }, /HOST: .*THINGSPACE_ACCOUNT, CALLBACK_USERNAME and CALLBACK_PASSWORD.*API_TOKENS/],
    [{ HOST: '::' }, /HOST/],
    [{ THINGSPACE_KEY: 'x' }, /THINGSPACE_\*: .*missing: THINGSPACE_SECRET, THINGSPACE_USERNAME, THINGSPACE_PASSWORD/],
    [{ THINGSPACE_BASE_URL: 'ftp://x' }, /THINGSPACE_\*: .*base URL must be http/],
  ]
  for (const [env, message] of cases) t.throws(() => readConfig(env), message, JSON.stringify(env))
  const all = Object.assign({}, ...cases.slice(0, 4).map(([env]) => env))
  try {
    readConfig({ ...all, MIGRATE: 'x', LOG_LEVEL: 'x' })
    t.fail('it should have thrown')
  } catch (error) {
    t.ok(error instanceof ConfigError && error.problems.length >= 4, 'all at once')
  }
})

t.test('secrets are in no message', async t => {
  const secrets = {
    SEAL_KEY: 'canary-1',
    CALLBACK_PASSWORD: 'canary-2',
    API_TOKENS: 'canary-3',
    DATABASE_URL: 'canary-4',
  }
  t.throws(() => readConfig(secrets))
  try {
    readConfig(secrets)
  } catch (error) {
    t.notMatch(String(error), /canary/)
  }
})
