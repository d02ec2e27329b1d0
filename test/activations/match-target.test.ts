import fc from 'fast-check'
import t from 'tap'
import { type AskedFor, matchTarget, targetKey, unrequestedIdentifiers } from '../../src/activations/match-target.ts'
import type { Identifiers } from '../../src/thingspace/report.ts'
import { holds } from '../fixtures/holds.ts'
import { permutations } from '../fixtures/permutations.ts'

const ids = (some: Partial<Identifiers>): Identifiers => ({ eid: null, iccid: null, imei: null, ...some })
const asked = (number: number, some: Partial<Identifiers>): AskedFor => ({ number, requested: true, ...ids(some) })
const unasked = (number: number, some: Partial<Identifiers>): AskedFor => ({ ...asked(number, some), requested: false })

const imei = '490154203237518'

t.test('the most specific identifier that both name decides', async t => {
  const cases: [name: string, targets: AskedFor[], named: Partial<Identifiers>, number: number | null][] = [
    ['by ICCID', [asked(1, { iccid: 'A' }), asked(2, { iccid: 'B' })], { iccid: 'B', eid: 'X' }, 2],
    [
      'two profiles of one device stay apart',
      [asked(1, { iccid: 'A', eid: 'X' }), asked(2, { iccid: 'B', eid: 'X' })],
      { iccid: 'B', eid: 'X' },
      2,
    ],
    [
      'another profile of a device is another one',
      [asked(1, { iccid: 'A', eid: 'X' })],
      { iccid: 'B', eid: 'X' },
      null,
    ],
    [
      'consumer eSIM: the ICCID comes with the message',
      [asked(1, { eid: 'X', imei }), asked(2, { eid: 'Y', imei: '1' })],
      { iccid: 'A', eid: 'X', imei },
      1,
    ],
    ['by EID where the message names no ICCID', [asked(1, { iccid: 'A', eid: 'X' })], { eid: 'X' }, 1],
    [
      'an ICCID and an EID: the ICCID wins',
      [asked(1, { eid: 'X' }), asked(2, { iccid: 'A', eid: 'X' })],
      { iccid: 'A', eid: 'X' },
      2,
    ],
    ['by IMEI, whatever its last digits', [asked(1, { imei })], { imei: '4901542032375199' }, 1],
    ['an IMEI and an EID: the EID wins', [asked(1, { imei }), asked(2, { eid: 'X' })], { eid: 'X', imei }, 2],
    ['the same IMEI in another EID', [asked(1, { eid: 'X', imei })], { eid: 'Y', imei }, null],
    [
      'a device of which several profiles were asked for: none of them',
      [asked(1, { iccid: 'A', eid: 'X' }), asked(2, { iccid: 'B', eid: 'X' })],
      { eid: 'X' },
      null,
    ],
    ['nothing in common', [asked(1, { iccid: 'A' })], { eid: 'X', imei }, null],
    ['no target', [], { iccid: 'A' }, null],
    [
      'one nobody asked for, by its most specific identifier',
      [unasked(1, { iccid: 'A' }), unasked(2, { eid: 'X' })],
      { iccid: 'A', eid: 'X' },
      1,
    ],
    ['a device nobody asked for is not its profile', [unasked(1, { iccid: 'A' })], { eid: 'X' }, null],
    ['a profile nobody asked for is not its device', [unasked(1, { eid: 'X' })], { iccid: 'A', eid: 'X' }, null],
    ['one nobody asked for, by IMEI', [unasked(1, { imei })], { imei: '49015420323751' }, 1],
    [
      'what was asked for goes before what was not',
      [unasked(1, { iccid: 'A' }), asked(2, { eid: 'X' })],
      { iccid: 'A', eid: 'X' },
      2,
    ],
  ]
  for (const [name, targets, named, number] of cases) {
    for (const order of permutations(targets)) t.equal(matchTarget(order, ids(named))?.number ?? null, number, name)
  }
})

t.test('a device nobody asked for is kept under its most specific identifier', async t => {
  t.strictSame(unrequestedIdentifiers({ iccid: 'A', eid: 'X', imei }), ids({ iccid: 'A' }))
  t.strictSame(unrequestedIdentifiers({ iccid: null, eid: 'X', imei }), ids({ eid: 'X' }))
  t.strictSame(unrequestedIdentifiers({ iccid: null, eid: null, imei }), ids({ imei }))
})

const some = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: null })
const identifiers: fc.Arbitrary<Identifiers> = fc
  .record({
    iccid: some(fc.constantFrom('A', 'B', 'C')),
    eid: some(fc.constantFrom('X', 'Y')),
    imei: some(fc.constantFrom('490154203237518', '49015420323751', '359881030314356')),
  })
  .filter(({ iccid, eid, imei }) => (iccid ?? eid ?? imei) !== null)

/** As they are recorded: no two of the same key, the requested ones numbered first. */
const targets = fc
  .tuple(
    fc.uniqueArray(identifiers, { selector: targetKey, maxLength: 5 }),
    fc.uniqueArray(identifiers, { selector: targetKey, maxLength: 3 }),
  )
  .map(([requested, others]) => [
    ...requested.map((one, index) => asked(index + 1, one)),
    ...others.map((one, index) => unasked(requested.length + index + 1, unrequestedIdentifiers(one))),
  ])
  .filter(
    all => new Set(all.filter(one => !one.requested).map(targetKey)).size === all.filter(one => !one.requested).length,
  )

holds(
  t,
  'the order of the targets does not matter',
  fc.property(
    targets.chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
    identifiers,
    ([all, shuffled], named) => matchTarget(all, named) === matchTarget(shuffled, named),
  ),
  1_000,
)

holds(
  t,
  'whom a message means shares an identifier with it, and contradicts it in none more specific',
  fc.property(targets, identifiers, (all, named) => {
    const found = matchTarget(all, named)
    if (found === null) return !all.some(one => one.requested && targetKey(one) === targetKey(named))
    const [decisive] = (['iccid', 'eid', 'imei'] as const).filter(kind => found[kind] !== null && named[kind] !== null)
    return decisive !== undefined && found[decisive]?.slice(0, 14) === named[decisive]?.slice(0, 14)
  }),
  1_000,
)

holds(
  t,
  'a message finds its own unrequested target again',
  fc.property(targets, identifiers, (all, named) => {
    const found = matchTarget(all, named)
    const added = unasked(all.length + 1, unrequestedIdentifiers(named))
    return matchTarget([added, ...all], named) === (found ?? added)
  }),
)
