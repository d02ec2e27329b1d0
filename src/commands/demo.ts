import { alignColumns } from './command-line.ts'
import { type Api, createApi } from './demo-api.ts'
import { tellBulkStory } from './demo-bulk.ts'
import { compareBulk } from './demo-bulk-compare.ts'
import { type Comparison, compare } from './demo-compare.ts'
import { createDemoLog } from './demo-log.ts'
import { type DemoOptions, readDemoOptions, usage } from './demo-options.ts'
import { tellScenario } from './demo-scenario.ts'
import { createScreen, foldJson } from './demo-screen.ts'
import { type Stage, setStage } from './demo-start.ts'
import { activationPath, type Told, tellStory } from './demo-story.ts'

/** `npm run demo`: the service beside a simulated carrier, from the request to the answer, for people to watch. */

/** The same limit as for `npm start`. */
const leaveWithinMs = 9_000
const screen = createScreen(process.stdout, process.stderr)
const closers: (() => Promise<void>)[] = []
let leaving = false
let done = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => leave(done ? 0 : 130))

// Whoever read the output has gone, as with `| head`.
process.stdout.on('error', () => leave(1))

try {
  const options = readDemoOptions(process.argv.slice(2), process.env)
  if (options.help) process.stdout.write(usage)
  else await run(options)
} catch (error) {
  // After a signal, interrupted work is no news.
  if (!leaving) {
    screen.clear()
    process.stderr.write(`The demo did not work: ${explain(error)}\n`)
    leave(1)
  }
}

async function run(options: DemoOptions): Promise<void> {
  const steps = tellScenario(options.seed)
  introduce(options.seed)
  const stage = await setStage(options, createDemoLog(screen.warn), screen, close => closers.unshift(close))
  const api = createApi(stage.service.url)
  const profiles = steps.reduce((sum, step) => sum + step.profiles.length, 0)
  head(`${profiles} eSIM profiles in ${steps.length} requests`)
  const told = await tellStory(stage, api, steps, screen)
  const comparison = await compare(api, stage.simulator.ledger(), told)
  sumUp(comparison, api)
  const missing = [...comparison.missing]
  if (options.profiles > 0) missing.push(...(await showBulk(stage, api, options)))
  await showDevice(stage, api, told)
  done = true
  if (missing.length > 0) throw new Error(`the API does not say what the carrier sent:\n${listed(missing)}`)
  if (screen.live && !options.once) return screen.say(`\n${screen.paint('bold', 'Up until Ctrl-C.')}`)
  screen.say('\nThe demo ends here, and the URLs with it: on a terminal, without --once, it stays up to be looked at.')
  leave(0)
}

function introduce(seed: number): void {
  screen.say(`${screen.paint('bold', 'ThingSpace eSIM activations, from the request to the answer')}   (seed ${seed})

  activate  Some program asks ThingSpace to activate eSIM profiles, and is given a requestId.
  record    It tells this service the requestId.
  callback  Later ThingSpace tells this service what became of each profile.
  poll      A dashboard asks this service how far it is.
`)
}

function head(title: string): void {
  screen.say(`\n${screen.paint('bold', title)}\n`)
}

function sumUp({ table, messages, posts, profiles, missing }: Comparison, { counts }: Api): void {
  head('What the carrier sent, and what the API says now')
  for (const row of alignColumns(table)) screen.say(`  ${row}`)
  screen.say()
  screen.say(`  ${messages} callbacks in ${posts} posts, ${counts.asked} polls (${counts.unchanged} answered 304).`)
  const matched = `All ${profiles} profiles are as the carrier said: nothing missing.`
  if (missing.length === 0) screen.say(`  ${screen.paint(['bold', 'green'], matched)}`)
}

async function showBulk(stage: Stage, api: Api, { profiles, seed }: DemoOptions): Promise<string[]> {
  head(`${profiles} profiles in one request, on a bad day of the carrier`)
  const bulk = await tellBulkStory(stage, api, profiles, seed, screen)
  const { table, missing } = await compareBulk(api, stage.simulator.ledger(), bulk)
  screen.say()
  for (const row of alignColumns(table)) screen.say(`  ${row}`)
  const matched = `All ${profiles} profiles are as the carrier said, ${bulk.seconds.toFixed(0)} s after the request: nothing missing.`
  if (missing.length === 0) screen.say(`\n  ${screen.paint(['bold', 'green'], matched)}`)
  return missing
}

async function showDevice({ service, simulator }: Stage, api: Api, told: Told[]): Promise<void> {
  const [first] = told
  const eid = first?.step.profiles[0]?.eid
  const device = `/v1/devices/eid/${eid}`
  const { body } = await api.get<unknown>(device)
  head(`One device with its two profiles: GET ${device}`)
  screen.say(`  ${foldJson(body, screen.width - 2, '  ')}`)
  head('URLs to look at')
  const urls = [
    ["the operator's page", `${service.url}/`],
    ['the API', `${service.url}/docs`],
    ['that device', service.url + device],
    ['activation #1', service.url + activationPath(first?.requestId ?? '')],
    ['its callbacks', `${service.url + activationPath(first?.requestId ?? '')}/callbacks`],
    ['the carrier', `${simulator.url}/`],
  ]
  for (const row of alignColumns(urls)) screen.say(`  ${row}`)
}

function listed(sentences: readonly string[]): string {
  return sentences.map(sentence => `  - ${sentence}`).join('\n')
}

/** Stops everything and ends the process. */
function leave(code: number): void {
  if (leaving) return
  leaving = true
  screen.mute()
  setTimeout(() => process.exit(code || 1), leaveWithinMs).unref()
  closeAll().then(
    () => process.exit(code),
    error => {
      process.stderr.write(`The demo could not stop everything: ${explain(error)}\n`)
      process.exit(code || 1)
    },
  )
}

async function closeAll(): Promise<void> {
  for (const close of [...closers]) await close()
}

function explain(error: unknown): string {
  const { code, port, message = String(error) } = error as { code?: string; port?: number; message?: string }
  if (code === 'EADDRINUSE') return `port ${port} is taken; set PORT to another one, or leave it unset for any free one`
  if (code === 'EACCES' && /listen/.test(message)) return 'the port may not be listened on; set PORT to one above 1023'
  if (code?.startsWith('ERR_PARSE_ARGS')) return `${message}\n\n${usage}`
  return message
}
