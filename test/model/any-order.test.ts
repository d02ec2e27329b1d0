import fc from 'fast-check'
import t from 'tap'
import { accounts, type ModelService, startModelService } from '../fixtures/model-service.ts'
import { type Command, commands, type World } from './commands.ts'
import { newLedger } from './ledger.ts'
import { startReader } from './reader.ts'
import { scenarios } from './scenarios.ts'
import { check, replay, settle } from './settle.ts'
import { countStates, interesting, noStates, type States } from './states.ts'

const runs = Number(process.env.MODEL_RUNS ?? 2)
const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31)
const path = process.env.FC_PATH

const seconds = Number(process.env.MODEL_SECONDS ?? 60)
t.setTimeout((seconds + 60) * 1_000)

t.test('whatever is sent, recorded, repeated and asked, in any order and at once, the contract holds', async t => {
  const service = await startModelService(t)
  const states = noStates()
  t.comment(`FC_SEED=${seed}${path === undefined ? '' : ` FC_PATH=${path}`} MODEL_RUNS=${runs}`)
  for (const [n, [sentence, steps]] of Object.entries(scenarios).entries()) {
    await t.resolves(runOnce(service, states, steps, n % 2 === 0, n), sentence)
  }
  t.comment(`the scenarios reached: ${list(states)}`)

  const property = fc.asyncProperty(
    fc.commands(commands, { maxCommands: 24, size: 'max' }),
    fc.boolean(),
    fc.nat(999_999),
    (drawn, recordRest, order) => runOnce(service, states, drawn, recordRest, order),
  )
  const result = await fc.check(property, {
    seed,
    numRuns: runs,
    ...(path === undefined ? {} : { path }),
    // Also bounds the search for a smaller example.
    interruptAfterTimeLimit: seconds * 1_000,
    endOnFailure: process.env.MODEL_SHRINK === 'off',
  })
  t.comment(`with ${result.numRuns} random runs: ${list(states)}`)
  if (result.failed) t.comment(`${fc.defaultReportMessage(result)}\n${(result.errorInstance as Error)?.stack}`)
  t.notOk(result.failed, 'no counterexample')
  for (const name of interesting) t.ok(states[name] > 0, `reached: ${name}`)
})

function list(states: States): string {
  return interesting.map(name => `${name} ${states[name]}`).join(', ')
}

async function runOnce(
  service: ModelService,
  states: States,
  drawn: Iterable<Command>,
  recordRest: boolean,
  order: number,
): Promise<void> {
  await service.reset()
  const world: World = { ledger: newLedger(accounts), states }
  const reader = startReader(service, accounts)
  try {
    await fc.asyncModelRun(() => ({ model: world, real: service }), drawn)
    await settle(service, world.ledger, states, recordRest)
  } finally {
    await reader.stop()
  }
  for (const account of accounts) countStates(states, world.ledger, await check(service, world.ledger, account))
  await replay(service, world.ledger, order)
}
