import { chmod, mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbeddedPostgres } from '../../src/database/embedded.ts'
import { measureReading } from './micro.ts'
import { type Contestant, sendLoad, startContestant, startService } from './processes.ts'

/*
 * npm run bench: how fast a callback is acknowledged after a durable commit, beside bare Fastify (the ceiling) and
 * the obvious receiver (one transaction per callback), on one machine in one run. Quote the ratios, not the figures:
 * they hold where the absolute ones don't.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '1,16,64,256' },
    json: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)

interface Row {
  connections: number
  name: string
  perSecond: number[]
  p50: number[]
  p99: number[]
  failed: number
}

const dataDir = await mkdtemp(path.join(os.tmpdir(), 'bench-'))
await chmod(dataDir, 0o711)
const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined })
const contestants: Contestant[] = []
try {
  contestants.push(await startContestant('bare Fastify', 'bare-server.ts'))
  contestants.push(await startService(postgres.url))
  contestants.push(
    await startContestant('one transaction per callback', 'plain-server.ts', { DATABASE_URL: postgres.url }),
  )
  for (const contestant of contestants) await measure(contestant, 16, 'warm-up', 2)

  const rows: Row[] = []
  for (const connections of values.connections.split(',').map(Number)) {
    const group = contestants.map(
      ({ name }): Row => ({ connections, name, perSecond: [], p50: [], p99: [], failed: 0 }),
    )
    for (let round = 0; round < rounds; round += 1) {
      for (const [at, contestant] of contestants.entries()) {
        const result = await measure(contestant, connections, `${round}-${connections}`, seconds)
        const row = group[at] as Row
        row.perSecond.push(result.perSecond)
        row.p50.push(result.p50)
        row.p99.push(result.p99)
        row.failed += result.failed
      }
    }
    rows.push(...group)
  }
  const receiving = await receivingCost(contestants[0] as Contestant)
  report(rows, [...measureReading(), { name: 'Fastify receives it (processor time)', microseconds: receiving }])
} finally {
  for (const contestant of contestants) contestant.stop()
  await new Promise(resolve => setTimeout(resolve, 1_000))
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}

function measure({ name, url }: Contestant, connections: number, run: string, time: number) {
  const label = `${name.replace(/\W+/g, '')}-${run}`
  return sendLoad({ url, connections, seconds: time, run: label, perRequest: 1, repeats: 0 })
}

/** Microseconds of processor time that bare Fastify needs to receive one callback of 1.3 kB. */
async function receivingCost(bare: Contestant): Promise<number> {
  const before = (await bare.cpu?.()) ?? Number.NaN
  const { ok } = await measure(bare, 64, 'cost', seconds)
  return (((await bare.cpu?.()) ?? Number.NaN) - before) / ok
}

function report(rows: readonly Row[], micro: readonly { name: string; microseconds: number }[]): void {
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ machine: machine(), seconds, rounds, rows, micro }, null, 2)}\n`)
    return
  }
  const lines = [
    `Machine: ${machine()}. ${rounds} rounds of ${seconds} s each, in turn; distinct callbacks of 1.3 kB.`,
    '',
    '| connections | server | acknowledged/s, median (min to max) | of bare Fastify | p50 ms | p99 ms | failed |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(row => {
      const bare = rows.find(other => other.connections === row.connections) as Row
      const ratios = row.perSecond.map((value, at) => value / (bare.perSecond[at] ?? Number.NaN))
      return `| ${row.connections} | ${row.name} | ${spread(row.perSecond, 0)} | ${spread(ratios, 3)} | ${middle(row.p50)} | ${middle(row.p99)} | ${row.failed} |`
    }),
    '',
    '| one callback of 1.3 kB | microseconds |',
    '|---|---|',
    ...micro.map(({ name, microseconds }) => `| ${name} | ${microseconds.toFixed(1)} |`),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function spread(values: readonly number[], digits: number): string {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return `${middle(values).toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`
}

function middle(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}

function machine(): string {
  const [cpu] = os.cpus()
  return `${os.availableParallelism()} × ${cpu?.model ?? 'processor'}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, Node ${process.version}`
}
