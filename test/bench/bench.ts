import { chmod, mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbeddedPostgres } from '../../src/database/embedded.ts'
import { measureAsking } from './asking.ts'
import { measureBulk } from './bulk.ts'
import { measureFeed, measureStream } from './feed.ts'
import { measureGrowth } from './growth.ts'
import { inTurn, repeated, sendCallbacks } from './in-turn.ts'
import { measureKinds } from './kinds.ts'
import { measureMemory, measureStart } from './lifetime.ts'
import { measureReading } from './micro.ts'
import { type Contestant, insertSingleRows, startContestant, startService } from './processes.ts'
import { machine, middle, type Report, type Row, write } from './report.ts'
import { useLog } from './used-log.ts'

/*
 * npm run bench: how fast a callback is acknowledged after a durable commit, beside bare Fastify (the ceiling), the
 * obvious receiver (one transaction per callback) and single inserts, on one machine in one run; then at 70 % of that,
 * with two processes, by kinds of callbacks, a bulk activation, questions, the feed, and with more and more stored.
 * Quote the ratios, not the figures: they hold where the absolute ones don't.
 */
const usage = `npm run bench -- [--seconds 4] [--rounds 3] [--connections 1,16,64,256] [--growth 10000,300000] [--memory 0] [--json]

  --seconds N      how long each contestant is measured in each round
  --rounds N       how many rounds; figures are their medians
  --connections N  how many connections send callbacks, several numbers separated by commas
  --growth N,N     stored callbacks and profiles with which it is measured; ten million need tens of gigabytes, and time
  --memory N       callbacks over which memory is watched; a million take some ten minutes
  --json           JSON for programs
`
const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '1,16,64,256' },
    memory: { type: 'string', default: '0' },
    growth: { type: 'string', default: '10000,300000' },
    json: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(usage)
  process.exit(0)
}
const turns = { seconds: Number(values.seconds), rounds: Number(values.rounds) }
const { seconds, rounds } = turns
const cases = values.connections.split(',').map(Number)

const dataDir = await mkdtemp(path.join(os.tmpdir(), 'bench-'))
await chmod(dataDir, 0o711)
const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined })
await useLog(postgres.url)
const contestants: Contestant[] = []
try {
  const bare = await startContestant('bare Fastify', 'bare-server.ts')
  const reading = await startContestant('the same parsing and schema, nothing stored', 'reading-server.ts')
  const service = await startService(postgres.url)
  const plain = await startContestant('one transaction per callback', 'plain-server.ts', { DATABASE_URL: postgres.url })
  contestants.push(bare, reading, service, plain)
  for (const contestant of contestants) await sendCallbacks(contestant, { connections: 16, run: 'warm-up', seconds: 2 })

  const acknowledged = await measureAcknowledging([bare, reading, service, plain])
  const report: Report = {
    machine: machine(),
    ...turns,
    acknowledged,
    paced: await measurePaced(service, acknowledged),
    workers: await measureWorkers(service),
    kinds: await measureKinds(bare, service, turns),
    bulk: await repeated(rounds, n => measureBulk(service, `bulk${n}`)),
    questions: await measureAsking(bare, service, turns),
    feedMs: await measureFeed(service, 200),
    streamMs: await measureStream(service, 200),
    startMs: await repeated(rounds, () => measureStart(postgres.url)),
    memory: Number(values.memory) > 0 ? await measureMemory(service, Number(values.memory)) : [],
    growth: await measureGrowth(postgres.url, {
      ...{ bare, service, ...turns },
      sizes: values.growth.split(',').filter(Boolean).map(Number),
    }),
    micro: [
      ...measureReading(),
      { name: 'Fastify receives it (processor time)', microseconds: await receivingCost(bare) },
    ],
  }
  write(report, values.json)
} finally {
  for (const contestant of contestants) contestant.stop()
  await new Promise(resolve => setTimeout(resolve, 1_000))
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}

async function measureAcknowledging(receivers: readonly Contestant[]): Promise<Row[]> {
  const compared = [
    ...receivers.map(one => ({
      name: one.name,
      measure: (connections: number, run: string) => sendCallbacks(one, { connections, run, seconds }),
    })),
    {
      // PostgreSQL allows some hundred connections: more than 64 at once wait outside.
      name: 'single inserts, without a receiver',
      measure: (connections: number) =>
        insertSingleRows({ databaseUrl: postgres.url, connections: Math.min(connections, 64), seconds }),
    },
  ]
  const groups = cases.map(connections => `${connections} connections`)
  return inTurn(rounds, groups, compared, ({ measure }, group, round) =>
    measure(Number.parseInt(group, 10), `${round}-${group}`),
  )
}

/**
 * How long an answer takes where there is still room: the peak is measured by callers who never pause. Each on as many
 * connections as reached that peak, since fewer can't bring what more of them did.
 */
function measurePaced(service: Contestant, acknowledged: readonly Row[]): Promise<Row[]> {
  const peaks = new Map(
    acknowledged.filter(({ name }) => name === service.name).map(({ group, perSecond }) => [group, middle(perSecond)]),
  )
  const paced = { ...service, name: '70 % of the peak' }
  const many = [...peaks.keys()].filter(group => Number.parseInt(group, 10) >= 64)
  return inTurn(rounds, many, [paced], (one, group, round) => {
    const connections = Number.parseInt(group, 10)
    const rate = Math.round((peaks.get(group) ?? Number.NaN) * 0.7)
    return sendCallbacks(one, { connections, run: `paced${round}-${connections}`, seconds, rate })
  })
}

/** One process beside two on one port: what the second one brings depends on the processors that are left for it. */
async function measureWorkers(service: Contestant): Promise<Row[]> {
  const two = await startService(postgres.url, 'two processes (WORKERS=2)', 2)
  try {
    await sendCallbacks(two, { connections: 64, run: 'warm-up', seconds: 3 })
    const compared = [{ ...service, name: 'one process' }, two]
    return await inTurn(rounds, ['64 connections'], compared, (one, _group, round) =>
      sendCallbacks(one, { connections: 64, run: `workers${round}`, seconds }),
    )
  } finally {
    two.stop()
  }
}

/** Microseconds of processor time that bare Fastify needs to receive one callback of 1.3 kB. */
async function receivingCost(bare: Contestant): Promise<number> {
  const before = (await bare.cpu?.()) ?? Number.NaN
  const { ok } = await sendCallbacks(bare, { connections: 64, run: 'cost', seconds })
  return (((await bare.cpu?.()) ?? Number.NaN) - before) / ok
}
