import { inTurn, sendCallbacks, type Turns } from './in-turn.ts'
import { type Contestant, sendLoad } from './processes.ts'
import type { Row } from './report.ts'
import { record } from './requests.ts'

/** What a callback is decides what it costs: repeats, those of recorded activations, those of one bulk activation. */
export function measureKinds(bare: Contestant, service: Contestant, { rounds, seconds }: Turns): Promise<Row[]> {
  const targets = { 'of activations of 1,000': 1_000, 'of one bulk activation': 10_000 }
  const alike = (contestant: Contestant, run: string, repeats: number) =>
    sendCallbacks(contestant, { connections: 64, run, seconds, repeats })
  const kinds = [
    { name: 'bare Fastify', send: (run: string) => alike(bare, run, 0) },
    { name: 'of requests not recorded', send: (run: string) => alike(service, run, 0) },
    { name: '30 % repeats', send: (run: string) => alike(service, `${run}-again`, 30) },
    ...Object.entries(targets).map(([name, perRequest]) => ({
      name,
      send: async (run: string) => {
        const label = `${name}-${run}`.replace(/\W+/g, '')
        for (let first = 0; first < 10_000; first += perRequest) {
          await record(service, `${label}-${first / perRequest}`, first + 1, perRequest)
        }
        const order = { url: service.url, connections: 64, seconds, amount: 10_000, run: label, perRequest }
        return sendLoad({ ...order, repeats: 0 })
      },
    })),
  ]
  return inTurn(rounds, ['64 connections'], kinds, ({ send }, _group, round) => send(`kind${round}`))
}
