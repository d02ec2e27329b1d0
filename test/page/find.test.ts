import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { takeTestService } from '../fixtures/service.ts'
import { browserPath, openBrowser, visit } from './browser.ts'

const skip = browserPath === null && 'no Chromium on this machine: install it, or name one in CHROMIUM'

t.test('what the search says is so', { skip }, async t => {
  const service = await takeTestService(t)
  const browser = await openBrowser()
  const openSearch = async () => {
    const { page } = await visit(t, browser, service.url)
    const search = page.getByRole('searchbox')
    const find = async (text: string) => {
      await search.fill(text)
      await search.press('Enter')
    }
    return { page, find }
  }
  const { iccid } = device(1)

  await t.test('what nothing has yet is opened as soon as a callback names it', async t => {
    const { page, find } = await openSearch()
    await find(iccid)
    await page.getByRole('heading', { name: 'Not found' }).waitFor()
    t.equal((await service.callback(makeCallback(device(1)))).status, 200)
    await page.getByRole('heading', { name: `Device ${iccid}` }).waitFor()
  })

  await t.test('a search that has no answer is not one that found nothing, and is made again', async t => {
    const { page, find } = await openSearch()
    await page.getByRole('status').getByText('Live').waitFor()
    await page.context().setOffline(true)
    await find(iccid)
    await page.getByRole('heading', { name: 'Not looked up' }).waitFor()
    await page.getByText('The service does not answer. It is asked again every few seconds.').waitFor()
    t.equal(await page.getByText('No device, activation or callback').count(), 0)
    await page.context().setOffline(false)
    await page.getByRole('heading', { name: `Device ${iccid}` }).waitFor()
  })

  await t.test('the same search can be made again by hand', async t => {
    const { page, find } = await openSearch()
    await find('nothing-has-this-name')
    await page.getByRole('heading', { name: 'Not found' }).waitFor()
    await page.evaluate(`document.querySelector('h1').dataset.old = 'true'`)
    await find('nothing-has-this-name')
    await page.locator('h1:not([data-old])').getByText('Not found').waitFor()
    t.equal(await page.evaluate('document.activeElement.tagName'), 'H1')
  })

  await t.test('a device is found by identifiers of any length, likely kinds first', async t => {
    const odd = [
      { eid: '8904903200111112222233333444444', iccid: '89999000000000017', imei: device(2).imei },
      { eid: '890490320011111222223333355555', iccid: '899990000000000000021', imei: device(3).imei },
    ]
    for (const ids of odd) {
      t.match(await service.callback(makeCallback(ids)), { status: 200, body: { verdict: 'unmatched' } })
    }
    const { page, find } = await openSearch()
    for (const ids of odd) {
      for (const [kind, id] of Object.entries(ids)) {
        await find(kind === 'iccid' ? `${id}F` : id)
        await page.waitForURL(`**/#/devices/${kind}/${id}`)
        await page.getByRole('heading', { name: ids.iccid, level: 2 }).waitFor()
      }
    }
  })

  await t.test('a few digits are not the beginning of an IMEI', async t => {
    const { page, find } = await openSearch()
    await find(device(2).imei.slice(0, 6))
    await page.getByRole('heading', { name: 'Not found' }).waitFor()
    t.equal(await page.getByText('No device, activation or callback').count(), 1)
  })

  await t.test('what a button asks is asked once, and nothing else is promised', async t => {
    const { page } = await openSearch()
    await page.goto(`${service.url}/#/callbacks?verdict=unmatched`)
    await page
      .getByRole('link', { name: /\d\d:\d\d:\d\d/ })
      .first()
      .waitFor()
    await page.context().setOffline(true)
    const said = page.locator('.reprocess').getByRole('status')
    await page.getByRole('button', { name: 'count first' }).click()
    await said.getByText('The service does not answer.').waitFor()
    t.equal(await said.textContent(), 'The service does not answer.')
  })
})
