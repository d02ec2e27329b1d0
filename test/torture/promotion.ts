import { checkLedger } from '../faults/check-ledger.ts'
import { startLoad, untilTaken } from '../faults/load.ts'
import { isAlive } from '../faults/stage.ts'
import { addStandby, failOver, followable } from '../faults/standby.ts'
import { highest, makePlace, type Scenario, times } from './scenario.ts'

export const promoted: Scenario = {
  key: 'promoted',
  fault: 'primary killed under load, its synchronous standby promoted',
  target: '0 acknowledged lost, 0 doubled, same process',
  async run(context) {
    const rounds = times(context, 3)
    const recoveries: number[] = []
    const counts = { sent: 0, unknown: 0, lost: 0, doubled: 0 }
    for (let round = 0; round < rounds; round += 1) {
      const { postgres, link, start } = await makePlace(context, { settings: followable })
      const standby = await addStandby(context, postgres)
      link.leadTo(postgres.url())
      const server = await start()
      const urls = () => [server.url]
      const load = startLoad({ urls, workers: 32 })
      await load.reaches(times(context, 2_000, 200))
      await failOver(postgres, standby)
      link.leadTo(standby.url())
      recoveries.push(await untilTaken({ urls }, load.ledger))
      await load.reaches(load.acknowledged() + times(context, 1_000, 100))
      await load.stop()
      const checked = await checkLedger(standby.sql, [server], load.ledger)
      if (!isAlive(server)) throw new Error('the service has ended')
      for (const key of ['sent', 'unknown', 'lost', 'doubled'] as const) counts[key] += checked[key]
      await server.end('SIGTERM')
    }
    return {
      measured:
        `${rounds} promotions, ${counts.sent} callbacks, ${counts.unknown} of unknown end; ${counts.lost} acknowledged ` +
        `lost, ${counts.doubled} doubled; taken again ${Math.round(highest(recoveries))} ms after the promotion at most`,
      reached: true,
    }
  },
}
