import t from 'tap'
import { createTestDatabase } from '../fixtures/database.ts'
import { device } from '../fixtures/make-callback.ts'
import { startTestService } from '../fixtures/service.ts'
import { browserPath, openBrowser, visit } from './browser.ts'

const skip = browserPath === null && 'no Chromium on this machine: install it, or name one in CHROMIUM'

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
