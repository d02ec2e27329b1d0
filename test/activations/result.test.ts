import fc from 'fast-check'
import t from 'tap'
import {
  addStatement,
  type Evidence,
  faultOf,
  isSettled,
  noEvidence,
  type Result,
  resultOf,
  type Source,
  type Statement,
  sourceOf,
} from '../../src/activations/result.ts'
import { holds } from '../fixtures/holds.ts'
import { permutations } from '../fixtures/permutations.ts'

const at = (minute: number) => new Date(Date.UTC(2026, 10, 1, 12, minute))
const say = (result: Statement['result'], source: Source = 'callback', minute = 0): Statement => ({
  source,
  result,
  faultCode: null,
  faultMessage: null,
  at: at(minute),
})
const fault = (code: string, result: Statement['result'] = 'failed'): Statement => ({
  ...say(result),
  faultCode: code,
  faultMessage: `text of ${code}`,
})
const sum = (statements: readonly Statement[]): Evidence => statements.reduce(addStatement, noEvidence)

const warning = say('warning')
const success = say('succeeded')
const failure = say('failed')

t.test('what was said adds up, in every order', async t => {
  const cases: [said: Statement[], result: Result, source: Source | null][] = [
    [[], 'pending', null],
    [[warning], 'warning', 'callback'],
    [[warning, warning], 'warning', 'callback'],
    [[success], 'succeeded', 'callback'],
    [[failure], 'failed', 'callback'],
    [[warning, success], 'succeeded', 'callback'],
    [[warning, failure, warning], 'failed', 'callback'],
    [[success, success, success], 'succeeded', 'callback'],
    [[failure, failure], 'failed', 'callback'],
    [[success, failure], 'conflict', 'callback'],
    [[warning, success, failure, success], 'conflict', 'callback'],
    [[say('succeeded', 'poll')], 'succeeded', 'poll'],
    [[say('failed', 'poll'), warning], 'failed', 'poll'],
    [[say('warning', 'poll')], 'pending', null],
    [[say('warning', 'poll'), success], 'succeeded', 'callback'],
    [[success, say('succeeded', 'poll')], 'succeeded', 'callback'],
    [[success, say('failed', 'poll')], 'conflict', 'callback'],
    [[failure, say('succeeded', 'poll')], 'conflict', 'callback'],
    [[success, failure, say('succeeded', 'poll')], 'succeeded', 'poll'],
    [[success, failure, say('failed', 'poll')], 'failed', 'poll'],
    [[say('failed', 'poll', 1), say('succeeded', 'poll', 2)], 'succeeded', 'poll'],
    [[say('succeeded', 'poll', 1), say('failed', 'poll', 2)], 'failed', 'poll'],
    [[say('succeeded', 'poll'), say('failed', 'poll')], 'succeeded', 'poll'],
    [[success, failure, say('succeeded', 'poll'), say('failed', 'manual')], 'failed', 'manual'],
    [[success, say('failed', 'manual')], 'failed', 'manual'],
    [[say('failed', 'manual', 1), say('succeeded', 'manual', 2), failure], 'succeeded', 'manual'],
  ]
  for (const [said, result, source] of cases) {
    const about = said.map(one => `${one.source} ${one.result} ${one.at.getUTCMinutes()}`).join(', ')
    for (const order of permutations(said)) {
      const evidence = sum(order)
      t.strictSame([resultOf(evidence), sourceOf(evidence)], [result, source], about)
    }
  }
})

t.test('only a success or a failure is settled', async t => {
  const results: Result[] = ['pending', 'warning', 'succeeded', 'failed', 'conflict']
  t.strictSame(results.filter(isSettled), ['succeeded', 'failed'])
})

t.test('a fault is shown where it is part of the result, and a final one before that of a warning', async t => {
  const onHold = fault('A.REQUEST_ONHOLD', 'warning')
  const cases: [said: Statement[], code: string | null][] = [
    [[], null],
    [[fault('B')], 'B'],
    [[fault('B'), fault('C')], 'B'],
    [[fault('B'), failure], 'B'],
    [[fault('B'), success], 'B'],
    [[onHold], 'A.REQUEST_ONHOLD'],
    [[onHold, warning], 'A.REQUEST_ONHOLD'],
    [[onHold, fault('B')], 'B'],
    [[onHold, failure], 'A.REQUEST_ONHOLD'],
    [[onHold, success], null],
    [[fault('B'), success, say('succeeded', 'poll')], null],
    [[{ ...say('failed', 'poll'), faultCode: 'P' }], 'P'],
    [[fault('B'), say('succeeded', 'manual')], null],
  ]
  for (const [said, code] of cases) {
    for (const order of permutations(said))
      t.equal(faultOf(sum(order)).code, code, said.map(one => one.faultCode).join())
  }
  t.strictSame(faultOf(sum([fault('B')])), { code: 'B', message: 'text of B' })
  t.strictSame(faultOf(sum([{ ...failure, faultMessage: 'only a text' }])), { code: null, message: 'only a text' })
})

const statement: fc.Arbitrary<Statement> = fc.record({
  source: fc.constantFrom('callback', 'callback', 'callback', 'poll', 'manual'),
  result: fc.constantFrom('warning', 'succeeded', 'failed'),
  faultCode: fc.constantFrom(null, 'A', 'B'),
  faultMessage: fc.constantFrom(null, 'a', 'b'),
  at: fc.nat({ max: 3 }).map(at),
})
const few = fc.array(statement, { maxLength: 6 })
const shuffledToo = few.chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })))

holds(
  t,
  'the same statements make the same evidence in any order',
  fc.property(shuffledToo, ([said, shuffled]) => {
    return JSON.stringify(sum(said)) === JSON.stringify(sum(shuffled))
  }),
  2_000,
)

holds(
  t,
  'statements that are repeated change neither result nor fault',
  fc.property(few, fc.infiniteStream(fc.nat()), (said, numbers) => {
    const repeated = said.flatMap(one => Array.from({ length: 1 + ((numbers.next().value as number) % 3) }, () => one))
    const shown = (evidence: Evidence) => JSON.stringify([resultOf(evidence), sourceOf(evidence), faultOf(evidence)])
    return shown(sum(repeated)) === shown(sum(said))
  }),
  2_000,
)

holds(
  t,
  'callbacks alone: final words beat warnings, and only both together are a conflict',
  fc.property(few, all => {
    const said = all.filter(({ source }) => source === 'callback').map(({ result }) => result)
    const final = new Set(said.filter(result => result !== 'warning'))
    const [one = said.length > 0 ? 'warning' : 'pending'] = final
    return resultOf(sum(all.filter(({ source }) => source === 'callback'))) === (final.size > 1 ? 'conflict' : one)
  }),
  1_000,
)

holds(
  t,
  'every callback is counted as what it said',
  fc.property(few, said => {
    const of = (result: Statement['result']) =>
      said.filter(one => one.source === 'callback' && one.result === result).length
    const { warnings, successes, faults } = sum(said)
    return warnings === of('warning') && successes === of('succeeded') && faults === of('failed')
  }),
)

holds(
  t,
  'once settled by a person, nothing but a person changes it',
  fc.property(few, few, fc.constantFrom('succeeded' as const, 'failed' as const), (before, after, result) => {
    const decided = sum([...before, say(result, 'manual', 9)])
    return resultOf(decided) === result && resultOf(after.reduce(addStatement, decided)) === result
  }),
)
