import type { Question } from './ask.ts'
import { inTurn, sendCallbacks, type Turns } from './in-turn.ts'
import { ask, type Contestant, token } from './processes.ts'
import { deviceQuestions, listQuestions, lookupQuestions, unchangedQuestions } from './questions.ts'
import type { Row } from './report.ts'

/** Questions beside the same ones answered from memory by bare Fastify, then while callbacks come as fast as they can. */
export async function measureAsking(bare: Contestant, service: Contestant, turns: Turns): Promise<Row[]> {
  const { rounds, seconds } = turns
  const groups: [name: string, connections: number, (one: Contestant) => Promise<Question[]>][] = [
    ['single device, 64 connections', 64, async () => deviceQuestions()],
    ['the same, answered with 304', 64, unchangedQuestions],
    ['a page of 100 profiles, 16 connections', 16, async () => listQuestions],
    ['look-up of 1,000 ids, 16 connections', 16, async () => lookupQuestions],
  ]
  const rows: Row[] = []
  for (const [name, connections, questionsOf] of groups) {
    rows.push(
      ...(await inTurn(rounds, [name], [bare, service], async contestant =>
        ask({ url: contestant.url, token, connections, seconds, questions: await questionsOf(contestant) }),
      )),
    )
  }
  return [...rows, ...(await whileCallbacksCome(service, turns))]
}

async function whileCallbacksCome(service: Contestant, { rounds, seconds }: Turns): Promise<Row[]> {
  const askDevices = () =>
    ask({ url: service.url, token, connections: 16, seconds, questions: deviceQuestions().slice(0, 100) })
  const send = (run: string) => sendCallbacks(service, { connections: 64, run, seconds })
  const asked = await inTurn(
    rounds,
    ['single device, 16 connections'],
    [
      { name: 'alone', measure: askDevices },
      {
        name: 'while 64 connections send callbacks',
        measure: async (run: string) => (await Promise.all([askDevices(), send(run)]))[0],
      },
    ],
    ({ measure }, _group, round) => measure(`asked${round}`),
  )
  const taken = await inTurn(
    rounds,
    ['callbacks, 64 connections'],
    [
      { name: 'alone', measure: send },
      {
        name: 'while 16 connections ask for devices',
        measure: async (run: string) => (await Promise.all([send(`${run}-beside`), askDevices()]))[0],
      },
    ],
    ({ measure }, _group, round) => measure(`taken${round}`),
  )
  return [...asked, ...taken]
}
