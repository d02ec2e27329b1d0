import { roll } from '../../src/simulator/random.ts'
import { type HttpAnswer, pause, request } from '../faults/load.ts'
import { listener } from '../faults/stage.ts'
import { account } from '../fixtures/account.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { makePlace, type Scenario, times } from './scenario.ts'

export const sameAtOnce: Scenario = {
  key: 'same',
  fault: 'the same callback 200× at once, 1,000 rounds, two replicas',
  target: 'one effect each',
  async run(context) {
    const { sql, start } = await makePlace(context)
    const urls = [(await start()).url, (await start()).url]
    const rounds = times(context, 1_000)
    for (let round = 0; round < rounds; round += 1) {
      const body = callback(`same-${round}`, round)
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => untilTaken('POST', `${urls[n % 2]}${path}`, body)),
      )
      const ids = new Set(answers.map(answer => answer.body.callbackId))
      if (ids.size !== 1) throw new Error(`round ${round}: ${ids.size} callbacks of one message`)
    }
    const [row] = await sql(`
      select (select count(*)::int from callbacks) as callbacks, (select count(*)::int from results) as effects,
        (select count(*)::int from changes) as changes, (select count(*)::int from profiles) as profiles`)
    const counts = { callbacks: rounds, effects: rounds, changes: rounds, profiles: rounds }
    return {
      measured: `${rounds * 200} deliveries: ${row?.callbacks} callbacks, ${row?.effects} effects, ${row?.changes} changes`,
      reached: JSON.stringify(row) === JSON.stringify(counts),
    }
  },
}

export const racing: Scenario = {
  key: 'racing',
  fault: 'activation and callback racing, 5,000 pairs, two replicas',
  target: '0 stuck',
  async run(context) {
    const { sql, start } = await makePlace(context)
    const urls = [(await start()).url, (await start()).url]
    const pairs = times(context, 5_000)
    let next = 0
    const work = async () => {
      while (next < pairs) {
        const n = next++
        const requestId = `racing-${n}`
        const deviceIds = Object.entries(device(n)).map(([kind, id]) => ({ kind, id }))
        const record = { accountName: account, devices: [{ deviceIds }] }
        const sends = [
          () => untilTaken('PUT', `${urls[n % 2]}/v1/activations/${requestId}`, record),
          () => untilTaken('POST', `${urls[(n >> 1) % 2]}${path}`, callback(requestId, n)),
        ]
        // A third at once, the others with one or the other a little ahead.
        if (n % 3 === 1) sends.reverse()
        const [first, second] = sends
        const started = first?.()
        if (n % 3 !== 2) await pause(Math.floor(6 * roll(context.seed, `race ${n}`)))
        await Promise.all([started, second?.()])
      }
    }
    await Promise.all(Array.from({ length: 60 }, work))
    const [row] = await sql("select count(*) filter (where status <> 'succeeded')::int as stuck from activations")
    return { measured: `${pairs} pairs, ${row?.stuck} stuck`, reached: row?.stuck === 0 }
  },
}

const path = `/callbacks/${account}/CarrierService`

function callback(requestId: string, n: number): object {
  return makeCallback({ requestId, ...device(n), ...listener })
}

async function untilTaken(method: string, url: string, body: object): Promise<HttpAnswer> {
  for (let tries = 1; tries < 200; tries += 1) {
    const answer = await request(method, url, body)
    if (answer !== null && answer.status < 300) return answer
    if (answer !== null && answer.status < 500) throw new Error(`answered ${answer.status}`)
    await pause(50)
  }
  throw new Error('never taken')
}
