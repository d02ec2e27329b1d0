import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'

const places = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  chromium.executablePath(),
]

/** Where a browser is on this machine; null where there is none. */
export const browserPath = places.find(place => place !== undefined && place !== '' && existsSync(place)) ?? null

let browser: Promise<Browser> | null = null

/** This machine under a name for which a browser makes no exceptions. */
export const elsewhere = 'elsewhere.example'

/** Chromium without a window, one for all tests of this process. Its sandbox needs rights that root in a container lacks. */
export function openBrowser(): Promise<Browser> {
  if (browser !== null) return browser
  const opening = chromium.launch({
    executablePath: browserPath ?? '',
    args: [`--host-resolver-rules=MAP ${elsewhere} 127.0.0.1`, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
  })
  browser = opening
  t.teardown(async () => (await opening).close())
  return opening
}

export interface Visit {
  page: Page
  /** What the console said that should not be there; answers that a test asks for on purpose are told apart by status. */
  complaints: () => string[]
}

/** A tab of its own, with nothing from the one before. Fails no test by itself: `complaints` are for each test to hold. */
export async function visit(
  t: Test,
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ locale: 'en-GB', ...options })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  const complaints: string[] = []
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(String(error)))
  await page.goto(url)
  return { page, complaints: () => complaints }
}
