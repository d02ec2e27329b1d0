import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, type TestService, takeTestService } from '../fixtures/service.ts'

const requestId = 'with-logins'
const { iccid } = device(1)
const path = `/v1/profiles/${iccid}`

t.test('another login alone is a change, and the same one is none', async t => {
  const service = await takeTestService(t)
  await service.record(requestId, [device(1)])
  const first = await say(service, { secret: 'first' })
  const tag = first.headers.get('etag') ?? ''
  t.match(first, { verdict: 'applied', body: { version: 1 }, password: 'first' })

  const same = await say(service, { secret: 'first', status: 'success' })
  t.match(same, { verdict: 'unchanged', body: { version: 1 } })
  const asked = { 'if-none-match': tag }

  const { cursor } = (await service.get('/v1/changes?after=now')).body
  t.match(await say(service, { secret: 'second' }), { verdict: 'applied', body: { version: 2 }, password: 'second' })
  t.match(await service.get(path, asked), { status: 200 }, 'a poller is told')
  const { items } = (await service.get(`/v1/changes?after=${cursor}`)).body
  t.match(items, [{ kind: 'profile', iccid, from: {}, to: {}, cause: { source: 'callback' } }], 'so is a reader')
  t.equal(items.length, 1)

  const silent: Record<string, unknown> = {
    ...makeCallback({ requestId, ...device(1), status: 'SUCCESS' }),
    note: 'of no login',
  }
  Object.assign(silent.deviceResponse as object, { deviceProfileResponse: { state: 'ACTIVE' } })
  t.match(
    await service.callback(silent),
    { body: { verdict: 'unchanged' } },
    'one that brings none keeps what was known',
  )
  t.match(await say(service, { secret: 'second', status: 'success' }), { verdict: 'unchanged', password: 'second' })
})

t.test('of two profiles in one callback the one whose login is another has changed', async t => {
  const service = await takeTestService(t)
  const both = (secrets: [string, string]) => {
    const [one, two] = secrets.map(
      (secret, at) => makeCallback({ requestId, ...device(at + 1), secret }).deviceResponse,
    )
    return { ...makeCallback({ requestId }), deviceResponse: [one, two] }
  }
  const versions = async () => {
    const { body } = await service.get('/v1/profiles')
    return body.items.map(({ version }: { version: number }) => version)
  }
  await service.callback(both(['one', 'two']))
  t.strictSame(await versions(), [1, 1])
  await service.callback(both(['one', 'other']))
  t.strictSame(await versions(), [1, 2])
})

t.test('what tells logins apart gives none of them away, and goes when they are forgotten', async t => {
  const service = await takeTestService(t)
  await service.callback(makeCallback({ requestId, ...device(1), secret: 'equal' }))
  await service.callback(makeCallback({ requestId, ...device(2), secret: 'equal' }))
  const digests = await service.sql('select credential_digest as digest from profiles')
  t.equal(new Set(digests.map(({ digest }) => digest)).size, 2, 'two profiles with one login do not look alike')
  t.ok(digests.every(({ digest }) => /^[\w-]{43}$/.test(digest)))
  const shown = await service.get('/v1/profiles')
  const changes = await service.get('/v1/changes')
  for (const { digest } of digests)
    t.notOk(JSON.stringify([shown.body, changes.body]).includes(digest), 'it is never shown')
})

async function say(service: TestService, made: { secret: string; status?: string }) {
  const { body } = await service.callback(makeCallback({ requestId, ...device(1), ...made }), { account })
  const { password } = (await service.get(`${path}/credential`)).body
  return { ...(await service.get(path)), verdict: body.verdict, password }
}

t.test(
  'after an upgrade the first login is taken for the one that was known, and the next one is told apart',
  async t => {
    const service = await takeTestService(t)
    await service.record(requestId, [device(1)])
    await say(service, { secret: 'first' })
    await service.sql('update profiles set credential_digest = null')
    t.match(await say(service, { secret: 'second' }), {
      verdict: 'unchanged',
      body: { version: 1 },
      password: 'second',
    })
    t.match(await say(service, { secret: 'third' }), { verdict: 'applied', body: { version: 2 }, password: 'third' })
  },
)
