import { chmod, mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbeddedPostgres } from '../../src/database/embedded.ts'
import { measureBulk, record } from './bulk.ts'
import { measureFeed } from './feed.ts'
import { measureMemory, measureStart } from './lifetime.ts'
import type { LoadResult } from './load.ts'
import { measureReading } from './micro.ts'
import { ask, type Contestant, sendLoad, startContestant, startService, token } from './processes.ts'
import { deviceQuestions, listQuestions, lookupQuestions, unchangedQuestions } from './questions.ts'
import { machine, measuredRow, type Report, type Row, write } from './report.ts'

/*
 * npm run bench: how fast a callback is acknowledged after a durable commit, beside bare Fastify (the ceiling) and
 * the obvious receiver (one transaction per callback), on one machine in one run; then kinds of callbacks, a bulk
 * activation, questions, and the feed. Quote the ratios, not the figures: they hold where the absolute ones don't.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '1,16,64,256' },
    /** Callbacks over which memory is looked at: a million takes some ten minutes. */
    memory: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)

const dataDir = await mkdtemp(path.join(os.tmpdir(), 'bench-'))
await chmod(dataDir, 0o711)
const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined })
const contestants: Contestant[] = []
try {
  const bare = await startContestant('bare Fastify', 'bare-server.ts')
  const service = await startService(postgres.url)
  const plain = await startContestant('one transaction per callback', 'plain-server.ts', { DATABASE_URL: postgres.url })
  contestants.push(bare, service, plain)
  for (const contestant of contestants) await callbacks(contestant, 16, 'warm-up', 2)

  const report: Report = {
    machine: machine(),
    seconds,
    rounds,
    acknowledged: await inTurn(
      values.connections.split(',').map(connections => `${connections} connections`),
      contestants,
      (contestant, group, round) => callbacks(contestant, Number.parseInt(group, 10), `${round}-${group}`, seconds),
    ),
    kinds: await kindsOfCallbacks(bare, service),
    bulk: await repeated(n => measureBulk(service, `bulk${n}`)),
    questions: await questions(bare, service),
    feedMs: await measureFeed(service, 200),
    startMs: await repeated(() => measureStart(postgres.url)),
    memory: Number(values.memory) > 0 ? await measureMemory(service, Number(values.memory)) : [],
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

/** Each of a group in turn, round after round; the first one of a group is what its others are compared with. */
async function inTurn<T extends { name: string }>(
  groups: readonly string[],
  compared: readonly T[],
  measure: (one: T, group: string, round: number) => Promise<LoadResult>,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const group of groups) {
    const results = new Map<string, LoadResult[]>(compared.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const one of compared) results.get(one.name)?.push(await measure(one, group, round))
    }
    rows.push(...[...results].map(([name, measured]) => measuredRow(group, name, measured)))
  }
  return rows
}

function callbacks({ name, url }: Contestant, connections: number, run: string, time: number, repeats = 0) {
  const label = `${name}-${run}`.replace(/\W+/g, '')
  return sendLoad({ url, connections, seconds: time, run: label, perRequest: 1, repeats })
}

/** What a callback is decides what it costs: repeats, those of recorded activations, those of one bulk activation. */
function kindsOfCallbacks(bare: Contestant, service: Contestant): Promise<Row[]> {
  const targets = { 'of activations of 1,000': 1_000, 'of one bulk activation': 10_000 }
  const kinds = [
    { name: 'bare Fastify', send: (run: string) => callbacks(bare, 64, run, seconds) },
    { name: '30 % repeats', send: (run: string) => callbacks(service, 64, run, seconds, 30) },
    ...Object.entries(targets).map(([name, perRequest]) => ({
      name,
      send: async (run: string) => {
        const label = `${name}-${run}`.replace(/\W+/g, '')
        for (let first = 0; first < 10_000; first += perRequest) {
          await record(service, `${label}-${first / perRequest}`, first + 1, perRequest)
        }
        return sendLoad({
          url: service.url,
          connections: 64,
          seconds,
          amount: 10_000,
          run: label,
          perRequest,
          repeats: 0,
        })
      },
    })),
  ]
  return inTurn(['64 connections'], kinds, ({ send }, _group, round) => send(`kind${round}`))
}

async function questions(bare: Contestant, service: Contestant): Promise<Row[]> {
  const group = (
    name: string,
    questionsOf: (contestant: Contestant) => Promise<Parameters<typeof ask>[0]['questions']>,
  ) =>
    inTurn([name], [bare, service], async contestant =>
      ask({ url: contestant.url, token, connections: 64, seconds, questions: await questionsOf(contestant) }),
    )
  const alone = (name: string, asked: Parameters<typeof ask>[0]['questions']) =>
    inTurn([name], [service], ({ url }) => ask({ url, token, connections: 16, seconds, questions: asked }))
  return [
    ...(await group('single device, 64 connections', async () => deviceQuestions())),
    ...(await group('the same, answered with 304', unchangedQuestions)),
    ...(await alone('a page of 100 profiles, 16 connections', listQuestions)),
    ...(await alone('look-up of 1,000 ids, 16 connections', lookupQuestions)),
  ]
}

async function repeated<T>(measure: (n: number) => Promise<T>): Promise<T[]> {
  const measured: T[] = []
  for (let n = 0; n < rounds; n += 1) measured.push(await measure(n))
  return measured
}

/** Microseconds of processor time that bare Fastify needs to receive one callback of 1.3 kB. */
async function receivingCost(bare: Contestant): Promise<number> {
  const before = (await bare.cpu?.()) ?? Number.NaN
  const { ok } = await callbacks(bare, 64, 'cost', seconds)
  return (((await bare.cpu?.()) ?? Number.NaN) - before) / ok
}
