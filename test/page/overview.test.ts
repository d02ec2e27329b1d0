import t from 'tap'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { takeTestService } from '../fixtures/service.ts'
import { browserPath, openBrowser, visit } from './browser.ts'

const skip = browserPath === null && 'no Chromium on this machine: install it, or name one in CHROMIUM'

t.test('the overview leaves out nothing that is open', { skip }, async t => {
  const service = await takeTestService(t)
  const browser = await openBrowser()
  const look = async () => {
    const { page } = await visit(t, browser, service.url)
    const open = page.getByRole('region', { name: 'Open and overdue activations', exact: true })
    const figure = page.getByRole('listitem').filter({ hasText: 'open activations' })
    await open.locator('p, table').and(page.locator(':not(.waiting)')).first().waitFor()
    return { page, open, figure }
  }

  await t.test('where nothing is open, none waits', async t => {
    const { open, figure } = await look()
    t.match(await open.textContent(), /Nothing is open/)
    await figure.filter({ hasText: /^\s*0\s*open activations\s*none waits\s*$/ }).waitFor()
  })

  await t.test('a conflict is open: somebody must look', async t => {
    await service.record('quarrel', [device(1)])
    await service.callback(makeCallback({ requestId: 'quarrel', ...device(1) }))
    await service.callback(makeFault({ requestId: 'quarrel', ...device(1) }))
    const { page, open, figure } = await look()
    t.equal(await open.getByRole('rowheader').count(), 1)
    await page.getByRole('progressbar', { name: 'Progress of quarrel' }).waitFor()
    await figure.filter({ hasText: /^\s*1\s*open activations\s*1 in conflict\s*$/ }).waitFor()
  })

  await t.test('so is a request of which nobody knows whether it was sent', async t => {
    await service.record('lost', [device(2)])
    await service.sql(`update activations set status = 'unknown' where request_id = 'lost'`)
    const { figure } = await look()
    await figure.filter({ hasText: /^\s*2\s*open activations\s*1 in conflict, 1 unknown\s*$/ }).waitFor()
    t.pass()
  })

  await t.test('an activation that nothing was said of has no time to a callback', async t => {
    const { page } = await visit(t, browser, `${service.url}/#/activations/lost`)
    await page.getByRole('term').filter({ hasText: 'Expected by' }).waitFor()
    t.equal(await page.getByRole('term').filter({ hasText: 'Time to callback' }).count(), 0)
  })

  await t.test('a list that is cut says so, and leads to all of it', async t => {
    const { page, open, figure } = await look()
    t.equal(await open.getByText('Only the newest').count(), 0)
    for (let n = 0; n < 51; n += 1) t.equal((await service.record(`pending-${n}`, [device(10 + n)])).status, 201)
    await open.getByText('Only the newest 50 are listed of those that are pending.').waitFor()
    t.equal(await open.getByRole('rowheader').count(), 52, '50 of them, beside the two others')
    await figure.filter({ hasText: /^\s*53\s*open activations\s*oldest .*, 1 in conflict, 1 unknown\s*$/ }).waitFor()
    await open.getByRole('link', { name: 'pending', exact: true }).click()
    await page.getByRole('heading', { name: 'Activations' }).waitFor()
    await page.getByRole('link', { name: 'Older' }).click()
    await page.getByRole('link', { name: 'Newer' }).waitFor()
    t.equal(await page.getByRole('rowheader').count(), 1, 'the oldest one')
  })

  await t.test('the chart has numbers and lines however many callbacks come, and each number whole', async t => {
    for (const perMinute of [7, 900, 12_345, 45_000, 300_000, 4_999_999]) {
      await service.sql('delete from callback_counts')
      await service.sql(
        `insert into callback_counts
         select 1, '1', 'CarrierService', 'applied', date_trunc('minute', now()) - n * interval '1 minute', $1
         from generate_series(1, 30) n`,
        [perMinute],
      )
      const { page } = await visit(t, browser, service.url)
      await page.getByRole('img', { name: `${30 * perMinute} callbacks in the last 60 minutes` }).waitFor()
      await page.locator('.chart canvas').waitFor()
      const { numbers, cut, lines } = await page.evaluate<{ numbers: number; cut: number; lines: number }>(axis)
      t.ok(numbers > 0, `${perMinute}: numbers`)
      t.equal(cut, 0, `${perMinute}: none is cut at the edge`)
      t.ok(lines > 0, `${perMinute}: lines`)
    }
  })
})

/** Painted points left of the drawing area, those of them at the very edge, and lines in its first column, which no bar reaches. */
const axis = `(() => {
  const canvas = document.querySelector('.chart canvas')
  const { left, top, width, height } = document.querySelector('.chart .u-over').getBoundingClientRect()
  const from = canvas.getBoundingClientRect()
  const painted = (x, columns) => {
    const { data } = canvas.getContext('2d').getImageData(x, top - from.top, columns, height)
    return data.filter((_, at) => at % 4 === 3).map(alpha => Math.min(alpha, 1))
  }
  const sum = points => points.reduce((all, point) => all + point, 0)
  return {
    numbers: sum(painted(0, left - from.left - 2)),
    cut: sum(painted(0, 1)),
    lines: sum(painted(left - from.left + 2, 1)),
  }
})()`
