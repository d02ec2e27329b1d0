import os from 'node:os'
import { parseArgs } from 'node:util'
import { killed, restarted } from './crashes.ts'
import { overload, slowClients } from './crowds.ts'
import { away, backendsKilled, halfOpen } from './links.ts'
import { promoted } from './promotion.ts'
import { racing, sameAtOnce } from './races.ts'
import type { Outcome, Scenario } from './scenario.ts'

/*
 * npm run torture: the faults of test/faults for as long as it takes to believe it, on the real service in processes of
 * its own and a real PostgreSQL with its data on the disk. Ends with 1 when a target was missed.
 */
const usage = `npm run torture -- [--only KEY,KEY] [--seed NUMBER] [--scale 0.1] [--json]
`
const scenarios: Scenario[] = [
  killed,
  restarted,
  halfOpen,
  backendsKilled,
  sameAtOnce,
  racing,
  away,
  slowClients,
  overload,
  promoted,
]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    scale: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const [seed, scale] = [Number(values.seed), Number(values.scale)]
const only = values.only?.split(',')
const unknown = only?.filter(key => !scenarios.some(scenario => scenario.key === key)) ?? []
if (values.help || unknown.length > 0 || !Number.isInteger(seed) || !(scale > 0)) {
  process.stderr.write(`${usage}  KEY: one of ${scenarios.map(({ key }) => key).join(', ')}\n`)
  process.exit(values.help ? 0 : 2)
}

interface Row extends Outcome {
  fault: string
  target: string
  seconds: number
}

const rows: Row[] = []
for (const scenario of scenarios.filter(({ key }) => only?.includes(key) ?? true)) {
  process.stderr.write(`${scenario.fault} ...\n`)
  const started = performance.now()
  const outcome = await runOne(scenario)
  const seconds = Math.round((performance.now() - started) / 1_000)
  process.stderr.write(`  ${outcome.measured} (${seconds} s)\n`)
  rows.push({ fault: scenario.fault, target: scenario.target, ...outcome, seconds })
}
report()
process.exit(rows.every(({ reached }) => reached) ? 0 : 1)

async function runOne(scenario: Scenario): Promise<Outcome> {
  const undo: (() => unknown)[] = []
  try {
    return await scenario.run({ seed, scale, teardown: one => undo.unshift(one) })
  } catch (error) {
    return { measured: `failed: ${(error as Error).message.split('\n')[0]}`, reached: false }
  } finally {
    for (const one of undo) await Promise.resolve(one()).catch(error => process.stderr.write(`${error}\n`))
  }
}

function report(): void {
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ machine: machine(), seed, scale, rows }, null, 2)}\n`)
    return
  }
  const lines = [
    `Machine: ${machine()}. Seed ${seed}${scale === 1 ? '' : `, scale ${scale}`}.`,
    '',
    '| fault | to reach | measured | reached |',
    '|---|---|---|---|',
    ...rows.map(row => `| ${row.fault} | ${row.target} | ${row.measured} | ${row.reached ? 'yes' : '**no**'} |`),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function machine(): string {
  const [cpu] = os.cpus()
  return `${os.availableParallelism()} × ${cpu?.model ?? 'processor'}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, Node ${process.version}`
}
