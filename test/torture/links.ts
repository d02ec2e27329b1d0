import { checkLedger } from '../faults/check-ledger.ts'
import { pause, startLoad, untilTaken } from '../faults/load.ts'
import { isAlive } from '../faults/stage.ts'
import { highest, makePlace, type Scenario, times } from './scenario.ts'

export const halfOpen: Scenario = {
  key: 'half-open',
  fault: 'half-open database link',
  target: 'recovered ≤ 5 s, every time, same process',
  async run(context) {
    const { link, sql, start } = await makePlace(context)
    const server = await start()
    const urls = () => [server.url]
    const load = startLoad({ urls, workers: 16 })
    const rounds = times(context, 20)
    const recoveries: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      await load.reaches(load.acknowledged() + 50)
      link.freezeOpen()
      recoveries.push(await untilTaken({ urls }, load.ledger))
      // PostgreSQL's side of the dead connections, which it would keep until it notices.
      link.dropFrozen()
    }
    await load.stop()
    await pause(1_000)
    await checkLedger(sql, [server], load.ledger)
    const slowest = highest(recoveries)
    return {
      measured: `${rounds} times, at most ${(slowest / 1_000).toFixed(1)} s`,
      reached: slowest <= 5_000 && isAlive(server),
    }
  },
}

export const backendsKilled: Scenario = {
  key: 'backends',
  fault: 'backend killed in an idle transaction, 1,000×',
  target: '0 exits',
  async run(context) {
    const { sql, start } = await makePlace(context)
    const server = await start()
    const urls = () => [server.url]
    const load = startLoad({ urls, workers: 16 })
    const wanted = times(context, 1_000)
    let killed = 0
    let asked = 0
    while (killed < wanted && isAlive(server)) {
      asked += 1
      const [row] = await sql(`
        select count(pg_terminate_backend(pid))::int as killed from pg_stat_activity
        where application_name like 'thingspace %' and state = 'idle in transaction'`)
      killed += row?.killed ?? 0
      if (asked > 1_000_000) throw new Error(`only ${killed} were ever found in an idle transaction`)
    }
    await untilTaken({ urls }, load.ledger)
    await load.stop()
    const checked = await checkLedger(sql, [server], load.ledger)
    return {
      measured: `${killed} killed, ${isAlive(server) ? 0 : 1} exits; ${checked.sent} callbacks, ${checked.lost} acknowledged lost`,
      reached: isAlive(server),
    }
  },
}

export const away: Scenario = {
  key: 'away',
  fault: 'database away for 60 s under load',
  target: 'with the spool 0 refused, 0 lost, drained ≤ 10 s after',
  async run(context) {
    const { postgres, link, sql, start } = await makePlace(context)
    const server = await start({ SPOOL: 'on', DATA_DIR: `${postgres.folder}/service` })
    const urls = () => [server.url]
    // Some 300 a second: as many as the disk takes would be more than any database drains in ten seconds.
    const load = startLoad({ urls, workers: 8, restMs: 25, recordEach: 1_000_000 })
    await load.reaches(100)
    const before = load.ledger.length
    link.close()
    await pause(times(context, 60_000))
    link.restore()
    await load.stop()
    const during = load.ledger.slice(before)
    const refused = during.filter(({ outcome }) => outcome !== 'ok').length
    const restored = performance.now()
    const taken = load.ledger.filter(({ outcome }) => outcome === 'ok').length
    for (;;) {
      const [row] = await sql('select count(*)::int as stored from callbacks')
      if ((row?.stored ?? 0) >= taken) break
      if (performance.now() - restored > 60_000) throw new Error('acknowledged, and not stored a minute after')
      await pause(50)
    }
    const drained = performance.now() - restored
    const checked = await checkLedger(sql, [server], load.ledger)
    return {
      measured: `${during.length} sent, ${refused} refused, ${checked.lost} lost, drained ${(drained / 1_000).toFixed(1)} s after`,
      reached: refused === 0 && drained <= 10_000,
    }
  },
}
