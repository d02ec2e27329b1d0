import { createHash } from 'node:crypto'
import type { Browser } from 'playwright-core'
import t from 'tap'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { startTestService, type TestService, takeTestService } from '../fixtures/service.ts'
import { browserPath, openBrowser, visit } from './browser.ts'

const reason = 'no Chromium on this machine: install it, or name one in CHROMIUM'
const token = 'the-token-of-the-operator'
const reader = 'the-token-of-a-reader'
const digest = (text: string) => createHash('sha256').update(text).digest('hex')

t.test('in try-out mode', { skip: browserPath === null && reason }, async t => {
  const service = await takeTestService(t)
  const browser = await openBrowser()

  await t.test('an empty service says so, without a sign-in and without a complaint', async t => {
    const { page, complaints } = await visit(t, browser, service.url)
    await page.getByText('Nothing is open').waitFor()
    await page.getByText('No profile is known yet').waitFor()
    await page.getByRole('status').getByText('Live').waitFor()
    t.equal(await page.title(), 'Overview · eSIM callbacks')
    t.strictSame(complaints(), [])
  })

  await t.test('a bulk activation is seen to progress while its callbacks come', async t => {
    await service.record('bulk-1', [1, 2, 3, 4].map(device))
    const { page, complaints } = await visit(t, browser, service.url)
    const bar = page.getByRole('progressbar', { name: 'Progress of bulk-1' })
    await bar.and(page.locator('[aria-valuetext="4 pending"]')).waitFor()
    await service.callback(makeCallback({ requestId: 'bulk-1', ...device(1) }))
    await bar.and(page.locator('[aria-valuenow="1"]')).waitFor()
    await service.callback(makeFault({ requestId: 'bulk-1', ...device(2), code: '=cmd' }))
    await service.callback(makeCallback({ requestId: 'bulk-1', ...device(3), profileRole: 'LOCAL' }))
    await bar.and(page.locator('[aria-valuetext="2 succeeded, 1 failed, 1 pending"]')).waitFor()
    await page.getByRole('row', { name: 'ACTIVE 1 1' }).waitFor()
    t.strictSame(complaints(), [])
  })

  await t.test('an activation shows its stragglers, its faults by code, and hands them out as CSV', async t => {
    const { page, complaints } = await visit(t, browser, `${service.url}/#/activations/bulk-1`)
    await page.getByText('3 of 4').waitFor()
    const targets = page.getByRole('region', { name: 'Targets' })
    await targets.getByText(device(4).iccid).waitFor()
    t.equal(await targets.getByRole('rowheader').count(), 1, 'stragglers first')
    await page.getByRole('region', { name: 'Faults by code' }).getByRole('row', { name: '1 =cmd' }).waitFor()
    const { name, lines } = await downloadCsv(page)
    t.equal(name, 'activation-bulk-1.csv')
    t.match(lines[0], /^iccid,eid,imei,result,/)
    t.match(lines[2], new RegExp(`^${device(2).iccid},.*,failed,false,'=cmd,`))
    t.equal(lines.length, 6)
    t.strictSame(complaints(), [])
  })

  await t.test('a device that nobody asked for is marked as such, also in the CSV', async t => {
    await service.record('bulk-2', [device(21)])
    await service.callback(makeCallback({ requestId: 'bulk-2', ...device(21) }))
    await service.callback(makeCallback({ requestId: 'bulk-2', ...device(22) }))
    const { page, complaints } = await visit(t, browser, `${service.url}/#/activations/bulk-2`)
    const rows = page.getByRole('region', { name: 'Targets, table' }).getByRole('row')
    await rows
      .filter({ hasText: device(22).iccid })
      .getByText('not asked for')
      .waitFor()
    t.equal(
      await rows
        .filter({ hasText: device(21).iccid })
        .getByText('not asked for')
        .count(),
      0,
    )
    const { lines } = await downloadCsv(page)
    t.match(lines[0], /,requested$/)
    t.match(
      lines.find(line => line.startsWith(device(21).iccid)),
      /,true$/,
    )
    t.match(
      lines.find(line => line.startsWith(device(22).iccid)),
      /,false$/,
    )
    t.strictSame(complaints(), [])
  })

  await t.test('a device is found by any identifier, and its changes lead to the callback, secrets masked', async t => {
    const { page, complaints } = await visit(t, browser, service.url)
    const search = page.getByRole('searchbox')
    for (const id of [device(3).imei, device(3).iccid, device(3).eid]) {
      await search.fill(id)
      await search.press('Enter')
      await page.getByRole('heading', { name: `Device ${id}` }).waitFor()
      await page.getByRole('heading', { name: device(3).iccid, level: 2 }).waitFor()
    }
    t.equal(await page.evaluate('document.activeElement.tagName'), 'H1', 'the reader begins at the heading')
    await page.getByRole('link', { name: 'The callback behind it' }).click()
    const message = page.getByLabel('The message as JSON')
    await message.waitFor()
    t.match(await message.textContent(), /"\[sealed\]"/)
    t.notMatch(await page.textContent('body'), /device-secret/)
    await search.fill('nothing-has-this-name')
    await search.press('Enter')
    await page.getByText('No device, activation or callback').waitFor()
    t.strictSame(
      complaints().filter(text => !text.includes('404')),
      [],
    )
  })

  await t.test('callbacks are read again only after they were counted', async t => {
    await service.callback(makeCallback({ requestId: 'not-recorded', ...device(9) }))
    const { page, complaints } = await visit(t, browser, `${service.url}/#/callbacks?verdict=unmatched`)
    await page.getByRole('button', { name: 'count first' }).click()
    await page.getByText('1 would be read again').waitFor()
    await page.getByRole('button', { name: 'Read 1 again now' }).click()
    await page.getByText(/1 of 1 were read again/).waitFor()
    t.strictSame(complaints(), [])
  })

  await t.test('it is dark where the machine is, and fits a narrow screen', async t => {
    const options = { colorScheme: 'dark', viewport: { width: 375, height: 700 } } as const
    const { page, complaints } = await visit(t, browser, service.url, options)
    await page.getByRole('progressbar').first().waitFor()
    t.equal(await page.evaluate('getComputedStyle(document.documentElement).backgroundColor'), 'rgb(18, 23, 26)')
    for (const path of ['#/', '#/activations/bulk-1', `#/devices/iccid/${device(3).iccid}`, '#/callbacks']) {
      await page.goto(`${service.url}/${path}`)
      await page.locator('main section, main table').first().waitFor()
      t.ok(
        await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
        `${path} needs no scrolling aside`,
      )
    }
    t.strictSame(complaints(), [])
  })

  await t.test('what it can not have it says', async t => {
    const { page } = await visit(t, browser, `${service.url}/#/activations/nobody-sent-this`)
    await page.getByText('No activation of your accounts has this request id.').waitFor()
    await page.context().setOffline(true)
    await page.getByRole('link', { name: 'Overview' }).click()
    await page.getByText('The service does not answer').first().waitFor()
    const replica = page.getByRole('region', { name: 'This replica' })
    await replica.getByText('The service does not answer').waitFor()
    await page.context().setOffline(false)
    await page.getByRole('progressbar', { name: 'Progress of bulk-1' }).waitFor()
    await replica.getByText('0 callbacks wait to be committed').waitFor()
    t.equal(await replica.getByText('What you see may be old').count(), 0)
    await page.context().setOffline(true)
    // Its stream is still open: that something changed is a sign to look again.
    await service.record('while-offline', [device(7)])
    await replica.getByText('What you see may be old').waitFor()
  })
})

t.test('with tokens', { skip: browserPath === null && reason }, async t => {
  const API_TOKENS = `operator:read,operate,metrics:*:${digest(token)};reader:read:*:${digest(reader)}`
  const browser = await openBrowser()
  const service = await startTestService(t, { API_TOKENS })

  await t.test('it asks for a token, says when that is wrong, and forgets it with the tab', async t => {
    const { page } = await visit(t, browser, service.url)
    await signIn(page, 'a-wrong-token')
    await page.getByRole('alert').getByText('not known').waitFor()
    await signIn(page, token)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByRole('heading', { name: 'This replica' }).waitFor()
    t.strictSame(await page.evaluate('[localStorage.length, document.cookie]'), [0, ''])
    await page.reload()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('API token').waitFor()
    t.equal(await page.evaluate('sessionStorage.length'), 0)
  })

  await t.test('a reader sees neither metrics nor can read callbacks again, and is told', async t => {
    const { page, complaints } = await visit(t, browser, service.url)
    await signIn(page, reader)
    await page.getByText('No profile is known yet').waitFor()
    t.equal(await page.getByRole('heading', { name: 'This replica' }).count(), 0)
    await page.goto(`${service.url}/#/callbacks?verdict=quarantined`)
    await page.getByRole('button', { name: 'count first' }).click()
    await page.getByText('the token lacks the scope operate').waitFor()
    t.strictSame(
      complaints().filter(text => !text.includes('403')),
      [],
    )
  })

  await t.test('a token that is revoked ends the visit', async t => {
    await revoke(t, service, browser)
  })
})

t.test('the page is small, strict and the same for everybody', async t => {
  const service = await startTestService(t, { API_TOKENS: `reader:read:*:${digest(reader)}` })
  const index = await service.get('/')
  t.match(index, { status: 200 })
  const policy = index.headers.get('content-security-policy') ?? ''
  t.match(policy, /^default-src 'none'; script-src 'self' 'sha256-[^']+'; style-src 'self';/)
  t.notMatch(policy, /unsafe|\*|http|data:/)
  t.notMatch(index.body, /https?:/, 'nothing from elsewhere')
  const own: string[] = [...index.body.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, url]) => url)
  t.ok(own.length > 8)
  for (const url of own) {
    const answer = await service.get(url)
    t.match(answer, { status: 200 }, url)
    t.match(await service.get(url, { 'if-none-match': answer.headers.get('etag') ?? '' }), { status: 304 })
  }
  t.match(await service.get('/assets/page/../page-routes.ts'), { status: 404 })
  t.match(await service.get('/assets/page/types.d.ts'), { status: 404 })
})

type Tab = Awaited<ReturnType<typeof visit>>['page']

async function signIn(page: Tab, text: string): Promise<void> {
  await page.getByLabel('API token').fill(text)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

async function downloadCsv(page: Tab): Promise<{ name: string; lines: string[] }> {
  const downloading = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download as CSV' }).click()
  const download = await downloading
  const chunks: Buffer[] = []
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer)
  return { name: download.suggestedFilename(), lines: Buffer.concat(chunks).toString().split('\r\n') }
}

/** A token made by command, as it is stored, and then taken back. */
async function revoke(t: Parameters<typeof visit>[0], service: TestService, browser: Browser): Promise<void> {
  const secret = 'a-token-that-is-taken-back'
  await service.sql(
    `insert into api_tokens (name, scopes, accounts, digest) values ('taken-back', '{read}', '{*}', $1)`,
    [createHash('sha256').update(secret).digest()],
  )
  const { page } = await visit(t, browser, service.url)
  await signIn(page, secret)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await service.sql(`update api_tokens set revoked_at = now() where name = 'taken-back'`)
  await page.getByText('Your token is not known, or was revoked.').waitFor()
  t.equal(await page.evaluate('sessionStorage.length'), 0)
}
