import { readFile } from 'node:fs/promises'
import { useLog } from '../bench/used-log.ts'
import { checkLedger } from '../faults/check-ledger.ts'
import { startCrowd } from '../faults/crowd.ts'
import { pause, startLoad } from '../faults/load.ts'
import { startOwnPostgres } from '../faults/own-postgres.ts'
import { startInEarnest } from '../faults/stage.ts'
import { type FloodOrder, flood } from './flood.ts'
import { watchProcessor } from './processor.ts'
import { makePlace, quantile, type Scenario, times } from './scenario.ts'

export const slowClients: Scenario = {
  key: 'slow',
  fault: '1,000 slow clients (headers, body, read)',
  target: 'p99 of real traffic < 2×',
  async run(context) {
    const { sql, start } = await makePlace(context)
    const server = await start()
    const urls = () => [server.url]
    const load = startLoad({ urls, workers: 8 })
    await load.reaches(300)
    const seconds = times(context, 20, 5)
    const alone = await latencies(load.latencies, seconds)
    const crowd = startCrowd(context, server.url, times(context, 1_000, 100))
    await pause(2_000)
    const beside = await latencies(load.latencies, seconds)
    crowd.end()
    await load.stop()
    await checkLedger(sql, [server], load.ledger)
    const [before, during] = [quantile(alone, 0.99), quantile(beside, 0.99)]
    return {
      measured: `p99 ${before.toFixed(1)} ms alone, ${during.toFixed(1)} ms beside ${crowd.held()} slow clients (${(during / before).toFixed(2)}×)`,
      reached: during < 2 * before,
    }
  },
}

async function latencies(all: readonly number[], seconds: number): Promise<number[]> {
  const from = all.length
  await pause(seconds * 1_000)
  return all.slice(from)
}

/** Below `MAX_CONNECTIONS`. As many as wait for a commit at most, and a free one for each that is refused. */
const mostConnections = 4_800

export const overload: Scenario = {
  key: 'overload',
  fault: '5× overload for 60 s',
  target: 'refusals < 50 ms, ≥ 80 % of peak goodput, normal ≤ 5 s after',
  async run(context) {
    // Without the link that other faults need: it would take its share of the processors.
    const postgres = await startOwnPostgres(context)
    await useLog(postgres.url())
    const { url, child } = await startInEarnest(context, postgres.url(), { LOG_LEVEL: 'info' })
    const seconds = times(context, 60, 5)
    const [database = ''] = (await readFile(`${postgres.cluster}/postmaster.pid`, 'utf8')).split('\n')
    const pids = { service: child.pid ?? 0, PostgreSQL: Number(database) }
    const watched = async (order: Omit<FloodOrder, 'url'>) => {
      const shares = await watchProcessor(pids)
      const result = await flood({ url, ...order })
      return { ...result, shares: `${await shares()}, flood ${result.processor.toFixed(2)}` }
    }
    await watched({ connections: 512, seconds: 5, run: 'warm-up' })
    const peak = await watched({ connections: 512, seconds: times(context, 15, 5), run: 'peak' })
    const over = await watched({ connections: mostConnections, seconds, run: 'over', rate: 5 * peak.acknowledged })
    await pause(2_000)
    const after = await watched({ connections: 512, seconds: 5, run: 'after' })
    const share = over.acknowledged / peak.acknowledged
    return {
      measured:
        `peak ${Math.round(peak.acknowledged)}/s; then ${(over.sent / peak.acknowledged).toFixed(1)}× of it came: ` +
        `${Math.round(100 * share)} % of peak acknowledged, ${over.refused} refused, p50 ${over.refusedP50} ms, p99 ${over.refusedP99} ms, ` +
        `${over.failed} failed, ${over.unsent} not sent for want of ${mostConnections} connections; afterwards ` +
        `${Math.round(after.acknowledged)}/s, ${after.refused + after.failed} not taken. ` +
        `Processors: at peak ${peak.shares}; in overload ${over.shares}`,
      reached: share >= 0.8 && over.refusedP99 < 50 && over.failed === 0 && after.refused + after.failed === 0,
    }
  },
}
