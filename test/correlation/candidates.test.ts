import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { matchTarget } from '../../src/activations/match-target.ts'
import { noEvidence } from '../../src/activations/result.ts'
import { candidates } from '../../src/correlation/candidates.ts'
import type { TargetState } from '../../src/correlation/working-set.ts'
import type { Identifiers } from '../../src/thingspace/report.ts'

/** Few of each, so that most are shared; the last digit of an IMEI does not count. */
const identifiers = fc
  .record<Identifiers>({
    iccid: fc.option(fc.nat(40).map(n => `8999900000000000${1_000 + n}`)),
    eid: fc.option(fc.nat(25).map(n => `8900100000000000000000000000${1_000 + n}`)),
    imei: fc.option(fc.tuple(fc.nat(25), fc.nat(9)).map(([n, last]) => `0010130000${1_000 + n}${last}`)),
  })
  .filter(ids => Object.values(ids).some(id => id !== null))

function target(ids: Identifiers, number: number, requested: boolean): TargetState {
  const nothing = { eid: null, iccid: null, imei: null }
  return {
    ...ids,
    ...{ activationId: '1', number, requested, learned: nothing, evidence: noEvidence, callbacks: 0, overdue: false },
    ...{ firstResultAt: null, settledAt: null, isNew: true, touched: false },
  }
}

t.test('the target that is meant is found among the candidates as it is among all', async t => {
  let [meant, nobody] = [0, 0]
  fc.assert(
    fc.property(
      fc.array(fc.tuple(identifiers, fc.boolean()), { minLength: 30, maxLength: 90 }),
      fc.array(identifiers, { minLength: 1, maxLength: 20 }),
      (asked, messages) => {
        const targets = asked.slice(0, -5).map(([ids, requested], at) => target(ids, at + 1, requested))
        for (const [at, named] of messages.entries()) {
          const late = asked.at(at - 5)
          // The list grows at its end, as when a device comes that nobody asked for.
          if (late !== undefined && at < 5) targets.push(target(late[0], targets.length + 1, late[1]))
          const found = matchTarget(candidates(targets, named), named)
          assert.equal(found?.requested ? found : null, requestedOf(matchTarget(targets, named)))
          assert.equal(found === null, matchTarget(targets, named) === null)
          if (found === null) nobody += 1
          else meant += 1
        }
      },
    ),
    { numRuns: 300 },
  )
  t.ok(meant > 200 && nobody > 200, `${meant} were meant, ${nobody} were not`)
})

function requestedOf(found: TargetState | null): TargetState | null {
  return found?.requested ? found : null
}
