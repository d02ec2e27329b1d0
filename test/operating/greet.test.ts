import { pino } from 'pino'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { greet } from '../../src/operating/greet.ts'

async function greeting(env: Record<string, string>, callers = { listeners: 0, tokens: 0 }, state = {}) {
  const lines: string[] = []
  const log = pino({ base: null }, { write: line => void lines.push(line) })
  const nobody = callers.listeners + callers.tokens === 0
  const service = {
    url: 'http://127.0.0.1:3000',
    opened: Promise.resolve(),
    isTriedOut: () => nobody,
    callers: () => callers,
    hasSpool: () => true,
    isClosing: () => false,
    ...state,
  }
  await greet(readConfig(env), service, log)
  return { text: lines.join(''), ready: JSON.parse(lines.at(-1) ?? '{}') }
}

t.test('a service to try out says what is off, and how it is turned on', async t => {
  const { text, ready } = await greeting({})
  t.match(text, /TRY-OUT MODE/)
  t.match(ready, {
    msg: 'ready',
    on: { database: 'embedded, in .data' },
    off: { listeners: /npm run listener/, tokens: /npm run token/, sending: /THINGSPACE_KEY/, spool: /DATA_DIR/ },
    look: { page: 'http://127.0.0.1:3000/', docs: 'http://127.0.0.1:3000/docs', metrics: /metrics/, health: /ready/ },
  })
})

t.test('a service in earnest says what is on, and no secret', async t => {
  const secret = 'canary-secret'
  const { text, ready } = await greeting(
    {
      DATABASE_URL: `postgres://user:${secret}@one:5432,two:5432/callbacks?sslmode=require`,
      SEAL_KEY: Buffer.alloc(32, 7).toString('base64'),
      DATA_DIR: '/var/lib/thingspace',
      THINGSPACE_KEY: secret,
      THINGSPACE_SECRET: secret,
      THINGSPACE_USERNAME: 'user',
      THINGSPACE_PASSWORD: secret,
    },
    { listeners: 2, tokens: 3 },
  )
  t.match(ready.off, { traces: 'OTEL_EXPORTER_OTLP_ENDPOINT' })
  t.equal(Object.keys(ready.off).length, 1)
  t.match(ready.on, {
    database: 'one:5432/callbacks and 1 more hosts',
    listeners: '2',
    tokens: '3',
    sending: 'https://thingspace.verizon.com',
    spool: /^\/var\/lib\/thingspace, up to \d+ bytes$/,
  })
  t.notMatch(text, secret)
  t.notMatch(text, 'no callback service')
  t.notMatch(text, 'TRY-OUT')
})

t.test('a spool that can not be opened is not said to be on', async t => {
  const env = { DATABASE_URL: 'postgres://one/callbacks', SEAL_KEY: Buffer.alloc(32, 7).toString('base64') }
  const wanted = { ...env, DATA_DIR: '/var/lib/thingspace' }
  const { ready } = await greeting(wanted, { listeners: 2, tokens: 3 }, { hasSpool: () => false })
  t.notOk('spool' in ready.on)
  t.match(ready.off, { spool: /wanted in .var.lib.thingspace, but it can not be opened now/ })
})

t.test('a service that leaves before it has reached its database does not say that it is ready', async t => {
  const { text } = await greeting({}, { listeners: 0, tokens: 0 }, { isClosing: () => true })
  t.match(text, 'listening on')
  t.notMatch(text, '"ready"')
})

t.test('a service of the listener that Verizon does not name is doubted at the start, and taken', async t => {
  const { text, ready } = await greeting(
    {
      THINGSPACE_ACCOUNT: '0000123456-00001',
      THINGSPACE_SERVICES: 'CarrierService,CarierService',
      CALLBACK_USERNAME: 'name',
      CALLBACK_PASSWORD: 'password',
    },
    { listeners: 2, tokens: 0 },
  )
  t.match(text, /"level":40.*THINGSPACE_SERVICES: CarierService is no callback service that Verizon names/)
  t.notMatch(text, 'CarrierService is no')
  t.match(ready.on, { listeners: '2' })
})
