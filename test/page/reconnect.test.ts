import { createHash } from 'node:crypto'
import type { Page } from 'playwright-core'
import t from 'tap'
import { createTestDatabase } from '../fixtures/database.ts'
import { device } from '../fixtures/make-callback.ts'
import { startTestService } from '../fixtures/service.ts'
import { browserPath, openBrowser, visit } from './browser.ts'

const skip = browserPath === null && 'no Chromium on this machine: install it, or name one in CHROMIUM'
const token = 'the-token-of-a-reader'
const digest = (text: string) => createHash('sha256').update(text).digest('hex')

t.test('a page whose service went away says so, and goes on after the last change it saw', { skip }, async t => {
  const DATABASE_URL = await createTestDatabase(t)
  const first = await startTestService(t, { DATABASE_URL })
  const other = await startTestService(t, { DATABASE_URL })
  const { page } = await visit(t, await openBrowser(), 'about:blank')
  const resumed: (string | undefined)[] = []
  page.on('request', request => {
    if (request.url().endsWith('/stream')) resumed.push(request.headers()['last-event-id'])
  })
  await page.goto(first.url)
  await page.getByRole('status').getByText('Live').waitFor()
  await other.record('before', [device(1)])
  await page.getByRole('progressbar', { name: 'Progress of before' }).waitFor()
  const { cursor } = (await other.get('/v1/changes')).body

  await first.close()
  await page.getByRole('status').getByText('Connection lost').waitFor()
  await page.getByText('What you see may be old.').first().waitFor({ timeout: 45_000 })
  t.equal(await page.getByRole('progressbar', { name: 'Progress of before' }).count(), 1, 'what was seen stays')
  t.equal((await other.record('while-away', [device(2)])).status, 201)
  await startTestService(t, { DATABASE_URL, PORT: new URL(first.url).port })
  await page.getByRole('progressbar', { name: 'Progress of while-away' }).waitFor({ timeout: 45_000 })
  await page.getByRole('status').getByText('Live').waitFor()
  t.equal(resumed.at(-1), cursor)
})

t.test('a page goes on where the service has another database now', { skip }, async t => {
  const first = await startTestService(t)
  const { page } = await visit(t, await openBrowser(), first.url)
  await page.getByRole('status').getByText('Live').waitFor()
  await first.record('before', [device(1)])
  await page.getByRole('progressbar', { name: 'Progress of before' }).waitFor()
  await first.close()
  await page.getByRole('status').getByText('Connection lost').waitFor()
  const second = await startTestService(t, { PORT: new URL(first.url).port })
  await page.getByRole('status').getByText('Live').waitFor()
  await page.getByText('Nothing is open').waitFor()
  await second.record('after', [device(2)])
  await page.getByRole('progressbar', { name: 'Progress of after' }).waitFor()
  t.equal(await page.getByRole('progressbar', { name: 'Progress of before' }).count(), 0)
})

t.test('a page that asked too much waits for as long as it is told to', { skip }, async t => {
  const service = await startTestService(t, { API_TOKENS: `reader:read:*:${digest(token)}`, RATE_LIMIT: '100' })
  const { page } = await visit(t, await openBrowser(), service.url)
  await page.clock.install()
  await signIn(page)
  await page.getByRole('status').getByText('Live').waitFor()
  const authorization = `Bearer ${token}`
  let over = await service.get('/v1/summary', { authorization })
  while (over.status !== 429) over = await service.get('/v1/summary', { authorization })
  const asked: string[] = []
  page.on('request', request => {
    if (request.url().includes('/v1/changes')) asked.push(request.url())
  })
  await page.reload()
  await page.getByRole('status').getByText('Connection lost').waitFor()
  t.equal(asked.length, 1)
  const toldMs = Number(over.headers.get('retry-after')) * 1_000
  await page.clock.runFor(toldMs / 2)
  t.equal(asked.length, 1, 'not before its time')
  const again = page.waitForRequest(/changes/)
  await page.clock.runFor(toldMs / 2)
  await again
})

t.test('a token that may no longer follow the feed is not taken for a broken line', { skip }, async t => {
  const service = await startTestService(t, { API_TOKENS: `reader:metrics:*:${digest(token)}` })
  const { page } = await visit(t, await openBrowser(), service.url)
  await page.evaluate(`sessionStorage.setItem('token', '${token}')`)
  await page.reload()
  await page.getByRole('status').getByText('This token may not follow changes').waitFor()
  t.equal(await page.getByText('Connection lost').count(), 0)
})

t.test('a page that waits leaves nothing behind with each time that it tried', { skip }, async t => {
  const service = await startTestService(t)
  const { page } = await visit(t, await openBrowser(), service.url)
  await page.context().setOffline(true)
  const cdp = await page.context().newCDPSession(page)
  await page.evaluate(`import('/assets/page/stream.js').then(({ followChanges }) => new Promise(resolve => {
    globalThis.ending = new AbortController()
    let tries = 0
    const onState = () => (tries += 1) === 4 && resolve()
    followChanges({ onChange: () => {}, onState, signal: ending.signal })
  }))`)
  const { result } = await cdp.send('Runtime.evaluate', { expression: 'ending.signal' })
  const { listeners } = await cdp.send('DOMDebugger.getEventListeners', { objectId: result.objectId ?? '' })
  t.ok(listeners.filter(({ type }) => type === 'abort').length <= 1, 'at most the one that waits now')
})

async function signIn(page: Page): Promise<void> {
  await page.getByLabel('API token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
}
