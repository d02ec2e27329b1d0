import { createHash } from 'node:crypto'
import t from 'tap'
import { startTestService } from '../fixtures/service.ts'
import { browserPath, elsewhere, openBrowser, visit } from './browser.ts'

const skip = browserPath === null && 'no Chromium on this machine: install it, or name one in CHROMIUM'

t.test('the page of the API shows itself over HTTP, under any name, and tries a call', { skip }, async t => {
  const digest = createHash('sha256').update('secret').digest('hex')
  const service = await startTestService(t, { API_TOKENS: `reader:read:*:${digest}` })
  const { port } = new URL(service.url)
  const { page, complaints } = await visit(t, await openBrowser(), `http://${elsewhere}:${port}/docs`)
  await page.getByRole('button', { name: 'Authorize' }).click()
  const dialog = page.locator('.modal-ux')
  await dialog.locator('input').fill('secret')
  await dialog.locator('button[type=submit]').click()
  await dialog.locator('button.btn-done').click()
  const operation = page.locator('#operations-summary-getSummary')
  await operation.getByText('/v1/summary').click()
  await operation.getByRole('button', { name: 'Try it out' }).click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  await operation.getByText('"oldestUnmatchedAt": null').first().waitFor()
  t.strictSame(complaints(), [])
})
