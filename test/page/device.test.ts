import t from 'tap'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { takeTestService } from '../fixtures/service.ts'
import { browserPath, openBrowser, visit } from './browser.ts'

const skip = browserPath === null && 'no Chromium on this machine: install it, or name one in CHROMIUM'

t.test('what happened to a device', { skip }, async t => {
  const service = await takeTestService(t)
  const browser = await openBrowser()
  const { iccid } = device(1)
  const changePlan = async (n: number) =>
    t.match(await service.callback(makeCallback({ ...device(1), servicePlan: `PLAN_${n}` })), { status: 200 })
  const look = async () => {
    const { page } = await visit(t, browser, `${service.url}/#/devices/iccid/${iccid}`)
    const steps = page.getByRole('region', { name: 'What happened' }).locator('.timeline > li')
    await steps.first().waitFor()
    return { page, steps }
  }

  await t.test('a step that changed none of what a change names is told in words', async t => {
    await changePlan(1)
    await service.callback(makeFault(device(1)))
    const { steps } = await look()
    t.match(await steps.first().textContent(), /Something else changed: .*The callback behind it/)
    t.match(await steps.last().textContent(), /state ACTIVE/)
  })

  await t.test('steps of the same moment stay in their order, newest first', async t => {
    for (const n of [2, 3, 4, 5]) await changePlan(n)
    await service.sql('update changes set at = (select max(at) from changes)')
    const { page, steps } = await look()
    const plans = (await steps.locator('ins').allTextContents()).filter(text => text.startsWith('PLAN_'))
    t.strictSame(plans, ['PLAN_5', 'PLAN_4', 'PLAN_3', 'PLAN_2', 'PLAN_1'])
    t.equal(await page.getByText('are not shown').count(), 0)
  })

  await t.test('more than a hundred of them are not cut without a word', async t => {
    for (let n = 6; n <= 101; n += 1) await changePlan(n)
    const { page, steps } = await look()
    await page.getByText('Older changes than the newest 100 of a profile are not shown.').waitFor()
    t.equal(await steps.count(), 100)
    await page.getByRole('button', { name: 'Show up to 1,000' }).click()
    await steps.locator('ins').getByText('PLAN_1', { exact: true }).waitFor()
    t.equal(await steps.count(), 102)
    t.equal(await page.getByText('are not shown').count(), 0)
  })
})
