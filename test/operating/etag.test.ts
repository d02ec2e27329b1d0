import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import Type from 'typebox'
import { shapeOf } from '../../src/operating/etag.ts'
import type { FoundProfile } from '../../src/profiles/find-profiles.ts'
import { ProfileView, profileTagParts } from '../../src/profiles/profile-view.ts'
import { CallbackView, callbackTagParts } from '../../src/receiving/callback-view.ts'
import type { FoundCallback } from '../../src/receiving/find-callbacks.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { type Row, takeTestService } from '../fixtures/service.ts'

t.test('HEAD tells the tag that GET would, and 304 says nothing of a length', async t => {
  const service = await takeTestService(t)
  const { iccid, ...others } = device(1)
  await service.record('request-1', [{ iccid, ...others }])
  const { callbackId } = (await service.callback(makeCallback({ requestId: 'request-1', iccid, ...others }))).body
  const { paths } = (await service.get('/openapi.json')).body
  const tagged = Object.entries(paths as Row).filter(
    ([, methods]) => (methods as Row).get?.responses['304'] !== undefined,
  )
  t.ok(tagged.length >= 10)
  for (const [path] of tagged) {
    const values: Row = {
      kind: 'iccid',
      id: path.includes('callbacks') ? callbackId : iccid,
      iccid,
      requestId: 'request-1',
    }
    const url = path.replaceAll(/\{(\w+)\}/g, (_, name) => values[name])
    if (path === '/v1/summary') await minuteThatLasts()
    const shown = await service.get(url)
    const tag = shown.headers.get('etag') ?? ''
    t.match(shown, { status: 200 }, url)
    const head = await service.call('HEAD', url)
    t.equal(head.headers.get('etag'), tag, `HEAD ${url}`)
    t.equal(head.headers.get('cache-control'), shown.headers.get('cache-control'), `HEAD ${url}`)
    for (const method of ['GET', 'HEAD']) {
      const unchanged = await service.call(method, url, { headers: { 'if-none-match': `"other", W/${tag}` } })
      t.match(unchanged, { status: 304, body: '' }, `${method} ${url}`)
      t.equal(unchanged.headers.get('etag'), tag, `${method} ${url}`)
    }
    const { headers } = await service.get(url, { 'if-none-match': tag })
    t.notOk(headers.has('content-length'), `${url}: it would be taken for the length of what is kept`)
  }
})

t.test(
  'an activation that took another way to the same version, after a restore, is not taken for the one known',
  async t => {
    const service = await takeTestService(t)
    await service.record('request-1', [device(1)])
    const urls = ['/v1/activations/request-1', '/v1/activations']
    const known = await Promise.all(urls.map(async url => (await service.get(url)).headers.get('etag') ?? ''))
    await service.sql(`update activations set status = 'failed', pending = 0, failed = 1`)
    for (const [at, url] of urls.entries())
      t.equal((await service.get(url, { 'if-none-match': known[at] ?? '' })).status, 200, url)
  },
)

/** With each minute that begins there is another summary. */
async function minuteThatLasts(): Promise<void> {
  const left = 60_000 - (Date.now() % 60_000)
  if (left < 5_000) await sleep(left)
}

t.test('a tag made of rows is another one when a release shows more of them', t => {
  const rows = { confirmed_at: new Date(), last_seen_at: new Date() }
  t.ok(profileTagParts(rows as unknown as FoundProfile).includes(shapeOf(ProfileView)))
  t.ok(callbackTagParts(rows as unknown as FoundCallback).includes(shapeOf(CallbackView)))
  const more = { more: Type.String() }
  t.not(shapeOf(ProfileView), shapeOf(Type.Object({ ...ProfileView.properties, ...more })))
  t.equal(shapeOf(ProfileView), shapeOf(structuredClone(ProfileView)))
  t.end()
})
