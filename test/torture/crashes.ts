import { roll } from '../../src/simulator/random.ts'
import { checkLedger } from '../faults/check-ledger.ts'
import { startLoad, untilTaken } from '../faults/load.ts'
import { type Context, highest, makePlace, type Outcome, type Scenario, times } from './scenario.ts'

const workers = 64
const pauseMs = 1_000
const least = 10_000

export const killed: Scenario = {
  key: 'killed',
  fault: '`kill -9` of the service 50×, under full load',
  target: '≥ 10,000 callbacks, 0 acknowledged lost, 0 doubled',
  async run(context) {
    const { sql, start } = await makePlace(context)
    let server = await start()
    const load = startLoad({ urls: () => [server.url], workers, pauseMs })
    const rounds = times(context, 50)
    for (let round = 0; round < rounds; round += 1) {
      await load.reaches(load.acknowledged() + inThisRound(context, 'kill', round, rounds))
      await server.end('SIGKILL')
      server = await start()
    }
    await load.reaches(load.acknowledged() + 50)
    await load.stop()
    const checked = await checkLedger(sql, [server], load.ledger)
    return {
      measured: `${rounds} kills, ${told(checked)}`,
      reached: checked.sent >= times(context, least) && checked.unknown > 0,
    }
  },
}

export const restarted: Scenario = {
  key: 'restarted',
  fault: 'PostgreSQL restarted as after a crash (`-m immediate`) 30×, under full load',
  target: '≥ 10,000 callbacks, 0 acknowledged lost, 0 doubled, same process',
  async run(context): Promise<Outcome> {
    const { postgres, link, sql, start } = await makePlace(context)
    const server = await start()
    const urls = () => [server.url]
    const load = startLoad({ urls, workers, pauseMs })
    const rounds = times(context, 30)
    const recoveries: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      await load.reaches(load.acknowledged() + inThisRound(context, 'restart', round, rounds))
      await postgres.stop('immediate')
      await postgres.start()
      link.leadTo(postgres.url())
      recoveries.push(await untilTaken({ urls }, load.ledger))
    }
    await load.stop()
    const checked = await checkLedger(sql, [server], load.ledger)
    const slowest = highest(recoveries)
    return {
      measured: `${rounds} restarts, ${told(checked)}; taken again within ${Math.round(slowest)} ms at most`,
      reached: checked.sent >= times(context, least) && slowest <= 5_000 && server.child.exitCode === null,
    }
  },
}

/** Never the same number, or a fault could always meet the same state. */
function inThisRound(context: Context, label: string, round: number, rounds: number): number {
  const mean = times(context, least) / rounds
  return Math.ceil(mean * (0.6 + 0.8 * roll(context.seed, `${label} ${round}`)) + mean * 0.1)
}

function told({ sent, unknown, lost, doubled }: { sent: number; unknown: number; lost: number; doubled: number }) {
  return `${sent} callbacks, ${unknown} of unknown end; ${lost} acknowledged lost, ${doubled} doubled`
}
