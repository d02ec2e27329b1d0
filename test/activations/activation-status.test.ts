import fc from 'fast-check'
import t from 'tap'
import {
  type ActivationStatus,
  activationStatus,
  type Counts,
  countMove,
  isActivationSettled,
  noCounts,
} from '../../src/activations/activation-status.ts'
import type { Result } from '../../src/activations/result.ts'
import { holds } from '../fixtures/holds.ts'

const results: Result[] = ['pending', 'warning', 'succeeded', 'failed', 'conflict']
const countsOf = (targets: readonly Result[]): Counts =>
  targets.reduce<Counts>((counts, result) => countMove(counts, null, result), noCounts)

t.test('an activation is as far as its targets are', async t => {
  const cases: [targets: Result[], status: ActivationStatus, settled: boolean][] = [
    [[], 'pending', false],
    [['pending'], 'pending', false],
    [['pending', 'warning'], 'pending', false],
    [['succeeded', 'pending'], 'partial', false],
    [['failed', 'warning'], 'partial', false],
    [['succeeded', 'failed', 'pending'], 'partial', false],
    [['succeeded', 'succeeded'], 'succeeded', true],
    [['failed', 'failed'], 'failed', true],
    [['succeeded', 'failed'], 'mixed', true],
    [['conflict'], 'conflict', false],
    [['conflict', 'pending'], 'conflict', false],
    [['succeeded', 'conflict'], 'conflict', false],
  ]
  for (const [targets, status, settled] of cases) {
    const counts = countsOf(targets)
    t.strictSame([activationStatus(counts), isActivationSettled(counts)], [status, settled], targets.join())
  }
})

const move = fc.record({ target: fc.nat({ max: 7 }), to: fc.constantFrom(...results) })

holds(
  t,
  'after any moves the counts are the sum of the targets',
  fc.property(fc.array(move, { maxLength: 40 }), moves => {
    const targets = new Map<number, Result>()
    let counts = noCounts
    for (const { target, to } of moves) {
      counts = countMove(counts, targets.get(target) ?? null, to)
      targets.set(target, to)
    }
    const counted = results.every(
      result => counts[result] === [...targets.values()].filter(one => one === result).length,
    )
    const sum = results.reduce((total, result) => total + counts[result], 0)
    return counted && counts.targets === targets.size && sum === targets.size
  }),
)

holds(
  t,
  'what all targets are does not depend on the way there',
  fc.property(
    fc.array(fc.tuple(fc.constantFrom(...results), fc.constantFrom(...results)), { maxLength: 8 }),
    targets => {
      const moved = targets.reduce(
        (counts, [from, to]) => countMove(counts, from, to),
        countsOf(targets.map(([from]) => from)),
      )
      return JSON.stringify(moved) === JSON.stringify(countsOf(targets.map(([, to]) => to)))
    },
  ),
)
