import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t from 'tap'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { takeTestService } from '../fixtures/service.ts'
import { browserPath, openBrowser, visit } from './browser.ts'

const skip = browserPath === null && 'no Chromium on this machine: install it, or name one in CHROMIUM'

/** What axe-core, the rules of WCAG as a program, has against this page. */
async function findingsOn(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'))
  const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  )
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

t.test('the page can be used by all', { skip }, async t => {
  const service = await takeTestService(t)
  await service.record('bulk-1', [1, 2, 3, 4].map(device))
  await service.callback(makeCallback({ requestId: 'bulk-1', ...device(1) }))
  await service.callback(makeFault({ requestId: 'bulk-1', ...device(2) }))
  await service.callback('{"requestId":1}')
  const browser = await openBrowser()
  const pages = ['#/', '#/activations', '#/activations/bulk-1', `#/devices/iccid/${device(1).iccid}`, '#/callbacks']

  await t.test('the chart says in words what its colours say', async t => {
    const { page } = await visit(t, browser, service.url)
    await page
      .getByRole('img', { name: /^3 callbacks in the last 60 minutes.*; 0 unmatched, 1 quarantined$/ })
      .waitFor()
    t.pass()
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    await t.test(`every page keeps the rules of WCAG 2.2 AA, ${colorScheme}`, async t => {
      const { page } = await visit(t, browser, service.url, { colorScheme, bypassCSP: true })
      for (const path of pages) {
        await page.goto(`${service.url}/${path}`)
        await page.locator('main section, main table').first().waitFor()
        t.strictSame(await findingsOn(page), [], path)
      }
    })
  }

  await t.test('a device is found, and its callback opened, with the keyboard alone', async t => {
    const { page } = await visit(t, browser, service.url)
    await page.getByRole('progressbar').first().waitFor()
    const focused = (what: string) => page.evaluate<string>(`document.activeElement?.${what} ?? ''`)
    const tabTo = async (matches: (text: string) => boolean) => {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press('Tab')
        if (matches(`${await focused('tagName')} ${await focused('textContent')} ${await focused('name')}`)) return true
      }
      return false
    }
    t.ok(await tabTo(text => text.startsWith('INPUT')), 'the search can be reached')
    await page.keyboard.type(device(1).iccid)
    await page.keyboard.press('Enter')
    await page.waitForURL(new RegExp(`#/devices/.*${device(1).iccid}`))
    await page.getByRole('link', { name: 'The callback behind it' }).first().waitFor()
    t.equal(await focused('tagName'), 'H1', 'what was opened is where the reader is')
    t.ok(await tabTo(text => text.includes('The callback behind it')), 'its callback can be reached')
    await page.keyboard.press('Enter')
    await page.getByText('Secrets are sealed and not shown.').waitFor()
  })
})
