import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { leastWaiting } from '../../src/receiving/admit-early.ts'
import { activatePath, asked, requestFor, startCarrier, startSendingService, until } from '../fixtures/carrier.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'

const folder = path.join(import.meta.dirname, '..', '..', 'src', 'operating', 'monitoring')
const read = (file: string) => readFileSync(path.join(folder, file), 'utf8')
const promtool = await findPromtool()
const skip = promtool === null && 'no promtool on this machine: it comes with the package prometheus'

const carrier = await startCarrier(t)
const service = await startSendingService(t, carrier)

/** A page of metrics on which something of everything has happened. */
const page = await (async () => {
  await service.call('POST', '/v1/activations', { body: requestFor(1) })
  await service.callback(makeCallback({ requestId: 'nobody-asked', ...device(2), state: 'HALF_ASLEEP' }))
  await service.callback('no JSON')
  return until(
    async () => String((await service.get('/metrics')).body),
    text =>
      /thingspace_job_seconds_count\{work="overdue"\} [1-9]/.test(text) &&
      // what is waiting is counted now and then, perhaps before the callback came
      !/^thingspace_oldest_unmatched_age_seconds 0$/m.test(text),
  )
})()
const told = new Set(
  [...page.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) => seriesOf(name, type)),
)
/** What Prometheus itself knows of a target. */
const itsOwn = new Set(['up'])
const itsLabels = ['job', 'instance']

function seriesOf(name: string, type: string | undefined): string[] {
  return type === 'histogram' ? ['_bucket', '_sum', '_count'].map(end => name + end) : [name]
}

/** The metrics that an expression names: words that are followed by a selector, a range, or nothing that calls. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
  return (bare.match(/[a-z_][a-z0-9_]*(?!\s*\(|[a-z0-9_])/g) ?? []).filter(word => !operators.has(word))
}
const operators = new Set(['and', 'or', 'unless', 'bool', 'sum', 'max', 'min', 'rate', 'increase'])

/** The labels that an expression names. */
function labelsIn(expression: string): string[] {
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(/, */))
  return [...grouped, ...[...expression.matchAll(/[{,] *(\w+)[!=]/g)].map(([, name = '']) => name)]
}

t.test('the alerts ask only for metrics that the service tells', async t => {
  const expressions = [...read('alerts.yml').matchAll(/^ +expr: (.*)$/gm)].map(([, expression = '']) => expression)
  t.ok(expressions.length > 10)
  for (const expression of expressions) {
    const names = metricsIn(expression)
    t.ok(names.length > 0, expression)
    for (const name of names) t.ok(told.has(name) || itsOwn.has(name), `${name} is told`)
  }
})

t.test('each alert says what to do, and whether it is worth waking somebody', async t => {
  const alerts = read('alerts.yml')
    .split(/^ +- alert: /m)
    .slice(1)
  for (const alert of alerts) {
    const [name = ''] = alert.split('\n')
    t.match(alert, /severity: (page|ticket)/, name)
    t.match(alert, /summary: \S/, name)
    t.match(alert, /description: .{40,}/, name)
  }
})

t.test(
  'no label of ours is one that Prometheus gives: it would rename it, and an alert would look for it in vain',
  async t => {
    const labels = new Set([...page.matchAll(/[{,](\w+)="/g)].map(([, name = '']) => name))
    t.ok(labels.has('work') && labels.has('verdict'), 'they are found')
    const asked = [...read('alerts.yml').matchAll(/^ +expr: (.*)$/gm)].flatMap(([, expression = '']) =>
      labelsIn(expression),
    )
    t.ok(asked.length > 10)
    for (const name of itsLabels) t.notOk(labels.has(name), name)
    for (const name of asked) t.ok(labels.has(name) || itsLabels.includes(name), `${name} is told`)
  },
)

t.test('the queue grows past its alert before anything is refused, however slow the database is', async t => {
  const [, threshold] = /thingspace_callback_queue_depth > (\d+) \* thingspace_workers/.exec(read('alerts.yml')) ?? []
  t.ok(Number(threshold) < leastWaiting, `${threshold} of ${leastWaiting}`)
})

t.test('the dashboard asks only for metrics that the service tells', async t => {
  const { panels } = JSON.parse(read('dashboard.json')) as { panels: { title: string; targets: { expr: string }[] }[] }
  t.ok(panels.length > 10)
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      for (const name of metricsIn(expr)) t.ok(told.has(name), `${title}: ${name}`)
    }
  }
})

t.test(
  'the replica that always runs is a target of Prometheus without a look-up of its name, which goes with it',
  async t => {
    const [scraped = ''] = /static_configs:\n(?: +- .*\n)+/.exec(read('prometheus.yml')) ?? []
    t.match(scraped, 'service:3000')
  },
)

t.test('what the issue of running it asks for is told', async t => {
  for (const line of [
    /^thingspace_pool_connections\{pool="receiving",state="idle"\} \d/m,
    /^thingspace_pool_waiting\{pool="background"\} \d+$/m,
    /^thingspace_feed_readers 0$/m,
    /^thingspace_oldest_unmatched_age_seconds \d/m,
    /^thingspace_oldest_pending_age_seconds \d/m,
    /^thingspace_oldest_overdue_age_seconds 0$/m,
    /^thingspace_calls_total\{call="activate",outcome="ok"\} 1$/m,
  ]) {
    t.match(page, line)
  }
  t.notMatch(page, device(2).iccid)
  t.equal(asked(carrier, activatePath), 1)
})

t.test('promtool is content with the metrics, the rules, and what the rules do', { skip }, async t => {
  t.match(await check(['check', 'rules', path.join(folder, 'alerts.yml')]), { code: 0 })
  t.match(await check(['test', 'rules', path.join(folder, 'alerts.test.yml')]), { code: 0 })
  const checked = await check(['check', 'metrics'], page)
  // The names of prom-client's own metrics are what they are.
  t.strictSame(
    checked.output.split('\n').filter(line => line.startsWith('thingspace_')),
    [],
  )
})

async function check(args: string[], input?: string): Promise<{ code: number; output: string }> {
  const running = promisify(execFile)(promtool ?? '', args)
  if (input !== undefined) running.child.stdin?.end(input)
  return running.then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code, output: stdout + stderr }),
  )
}

async function findPromtool(): Promise<string | null> {
  const name = process.env.PROMTOOL ?? 'promtool'
  return promisify(execFile)(name, ['--version']).then(
    () => name,
    () => null,
  )
}
