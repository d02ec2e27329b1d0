import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { startEmbeddedPostgres } from '../../src/database/embedded.ts'
import { sendCallbacks } from './in-turn.ts'
import { type Contestant, startContestant, startService } from './processes.ts'

/*
 * npm run guard: ends with 1 when durable acknowledgements, beside bare Fastify in the same seconds, are less than half of
 * what the README publishes. Short rounds in turn and their median, and all of it once more before it fails: a busy
 * machine is no slower code.
 */
const rounds = 3
const seconds = 1.5
const published = JSON.parse(await readFile(path.join(import.meta.dirname, 'published.json'), 'utf8')) as {
  durableAcknowledgementsOfBareFastifyAt64Connections: number
}
const least = published.durableAcknowledgementsOfBareFastifyAt64Connections / 2

const dataDir = await mkdtemp(path.join(os.tmpdir(), 'guard-'))
await chmod(dataDir, 0o711)
const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined })
const contestants: Contestant[] = []
try {
  const bare = await startContestant('bare', 'bare-server.ts')
  const service = await startService(postgres.url)
  contestants.push(bare, service)
  for (const one of contestants) await perSecond(one, 'warm-up', 2)
  const reached = (await ratio(bare, service, 'first')) >= least || (await ratio(bare, service, 'again')) >= least
  if (!reached) process.exitCode = 1
} finally {
  for (const contestant of contestants) contestant.stop()
  await new Promise(resolve => setTimeout(resolve, 1_000))
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}

async function ratio(bare: Contestant, service: Contestant, run: string): Promise<number> {
  const ratios: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const ceiling = await perSecond(bare, `${run}${round}`, seconds)
    ratios.push((await perSecond(service, `${run}${round}`, seconds)) / ceiling)
  }
  const [middle = 0] = ratios.toSorted((one, other) => one - other).slice(1)
  const all = ratios.map(value => value.toFixed(3)).join(', ')
  const verdict = middle >= least ? 'as fast as it should be' : 'TOO SLOW'
  process.stdout.write(`durable acknowledgements of bare Fastify: ${all}; at least ${least.toFixed(3)}: ${verdict}\n`)
  return middle
}

async function perSecond(one: Contestant, run: string, seconds: number): Promise<number> {
  return (await sendCallbacks(one, { connections: 64, run, seconds })).perSecond
}
