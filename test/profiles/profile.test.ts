import fc from 'fast-check'
import t from 'tap'
import { resultOf } from '../../src/activations/result.ts'
import {
  comesBefore,
  compareRanks,
  type Profile,
  type ProfileMessage,
  profileFrom,
  rankOf,
  withMessage,
} from '../../src/profiles/profile.ts'
import type { ProfileFacts } from '../../src/thingspace/report.ts'
import { holds } from '../fixtures/holds.ts'
import { permutations } from '../fixtures/permutations.ts'

const at = (minute: number) => new Date(Date.UTC(2026, 10, 1, 12, minute))
const nothing: ProfileFacts = {
  mdn: null,
  msisdn: null,
  state: null,
  profileStatus: null,
  profileRole: null,
  servicePlan: null,
  addressUpdate: null,
  hasCredential: false,
}

interface Said extends Partial<Omit<ProfileMessage, 'facts'>> {
  facts?: Partial<ProfileFacts>
}

let sources = 0
function say({ facts = {}, ...said }: Said): ProfileMessage {
  sources += 1
  return {
    source: 'callback',
    result: 'succeeded',
    faultCode: null,
    faultMessage: null,
    at: at(0),
    sourceId: `source-${String(sources).padStart(4, '0')}`,
    activationId: '1',
    submittedAt: at(0),
    eid: null,
    imei: null,
    ...said,
    facts: { ...nothing, ...facts },
  }
}

t.test('a profile that nobody spoke of is not known', async t => {
  t.equal(profileFrom([]), null)
})

t.test('what is shown comes from the newest word that tells it, in every order of arrival', async t => {
  const cases: [name: string, said: ProfileMessage[], shown: object][] = [
    [
      'a later message of the same activation',
      [say({ at: at(1), facts: { state: 'PENDING' } }), say({ at: at(2), facts: { state: 'ACTIVE' } })],
      { state: 'ACTIVE' },
    ],
    [
      'what a message does not say stays as it was',
      [
        say({ at: at(1), eid: 'X', facts: { mdn: '5', state: 'ACTIVE' } }),
        say({ at: at(2), imei: 'I', facts: { profileRole: 'LEAD' } }),
      ],
      { eid: 'X', imei: 'I', mdn: '5', state: 'ACTIVE', profileRole: 'LEAD' },
    ],
    [
      'a final word before a warning, though the warning came later',
      [
        say({ at: at(1), facts: { profileStatus: 'ENABLE' } }),
        say({ at: at(2), result: 'warning', facts: { profileStatus: 'DISABLE' } }),
      ],
      { profileStatus: 'ENABLE', lastWord: { final: true, at: at(1) } },
    ],
    [
      'the newest activation by submission, though an older one spoke later',
      [
        say({ activationId: '2', submittedAt: at(5), at: at(6), facts: { state: 'DEACTIVE' } }),
        say({ activationId: '1', submittedAt: at(1), at: at(9), facts: { state: 'ACTIVE', servicePlan: 'P' } }),
      ],
      { state: 'DEACTIVE', servicePlan: 'P', activationId: '2' },
    ],
    [
      'a warning of a newer activation before the final word of an older one',
      [
        say({ activationId: '1', submittedAt: at(1), facts: { state: 'ACTIVE' } }),
        say({ activationId: '2', submittedAt: at(2), result: 'warning', facts: { state: 'PENDING' } }),
      ],
      { state: 'PENDING', activationId: '2', evidence: { warnings: 1, successes: 0 } },
    ],
    [
      'of activations sent at once, the one recorded later: ids are numbers',
      [say({ activationId: '9', facts: { state: 'OLD' } }), say({ activationId: '10', facts: { state: 'NEW' } })],
      { state: 'NEW', activationId: '10' },
    ],
    [
      'the credential of the newest message that had one',
      [
        say({ at: at(1), sourceId: 'first', facts: { hasCredential: true } }),
        say({ at: at(2), sourceId: 'second', facts: { hasCredential: true } }),
        say({ at: at(3), sourceId: 'third' }),
      ],
      { credentialCallbackId: 'second' },
    ],
    [
      'the evidence of one activation alone',
      [
        say({ activationId: '1', submittedAt: at(1), result: 'failed', faultCode: 'F' }),
        say({ activationId: '2', submittedAt: at(2), result: 'warning' }),
        say({ activationId: '2', submittedAt: at(2), result: 'succeeded' }),
      ],
      { evidence: { warnings: 1, successes: 1, faults: 0, fault: null } },
    ],
    [
      'an address update as a whole',
      [
        say({ at: at(1), facts: { addressUpdate: { status: 'S', code: '1', description: 'd' } } }),
        say({ at: at(2), facts: { addressUpdate: { status: 'T', code: null, description: null } } }),
      ],
      { addressUpdate: { status: 'T', code: null, description: null } },
    ],
    [
      'an address update that later messages do not mention',
      [say({ at: at(1), facts: { addressUpdate: { status: 'S', code: '1', description: 'd' } } }), say({ at: at(2) })],
      { addressUpdate: { status: 'S', code: '1', description: 'd' } },
    ],
  ]
  for (const [name, said, shown] of cases) {
    for (const order of permutations(said)) t.match(profileFrom(order), shown, name)
  }
})

t.test('only a message that belongs before the last word comes before', async t => {
  const last = say({ at: at(5) })
  const profile = profileFrom([last])
  t.ok(comesBefore(say({ at: at(4) }), profile))
  t.ok(comesBefore(say({ at: at(6), result: 'warning' }), profile))
  t.notOk(comesBefore(say({ at: at(6) }), profile))
  t.notOk(comesBefore(last, profile))
  t.notOk(comesBefore(say({ at: at(4) }), null), 'nothing is known that it could come before')
})

const word = fc.constantFrom(null, 'A', 'B', 'C')
const activations = [
  { activationId: '9', submittedAt: at(1) },
  { activationId: '10', submittedAt: at(1) },
  { activationId: '3', submittedAt: at(2) },
]
const message: fc.Arbitrary<ProfileMessage> = fc
  .record({
    activation: fc.constantFrom(...activations),
    source: fc.constantFrom('callback' as const, 'callback' as const, 'poll' as const, 'manual' as const),
    result: fc.constantFrom('warning' as const, 'succeeded' as const, 'failed' as const),
    faultCode: word,
    faultMessage: word,
    at: fc.nat({ max: 2 }).map(at),
    sourceId: fc.uuid(),
    eid: word,
    imei: word,
    facts: fc.record({
      mdn: word,
      msisdn: word,
      state: word,
      profileStatus: word,
      profileRole: word,
      servicePlan: word,
      addressUpdate: fc.option(fc.record({ status: word, code: word, description: word }), { nil: null }),
      hasCredential: fc.boolean(),
    }),
  })
  .map(({ activation, ...rest }) => ({ ...activation, ...rest }))
const messages = fc.uniqueArray(message, { selector: ({ sourceId }) => sourceId, maxLength: 6 })
const inTwoOrders = messages.chain(all =>
  fc.tuple(fc.shuffledSubarray(all, { minLength: all.length }), fc.shuffledSubarray(all, { minLength: all.length })),
)

/** As the service does it: a message that comes last is added; for one that comes before others all are folded. */
function asTheyCome(all: readonly ProfileMessage[]): Profile | null {
  const known: ProfileMessage[] = []
  let profile: Profile | null = null
  for (const one of all) {
    known.push(one)
    profile = comesBefore(one, profile) ? profileFrom(known) : withMessage(profile, one)
  }
  return profile
}

holds(
  t,
  'the same messages make the same profile in any order, one by one or at once',
  fc.property(inTwoOrders, ([one, other]) => {
    const expected = JSON.stringify(profileFrom(one))
    return [profileFrom(other), asTheyCome(one), asTheyCome(other)].every(
      profile => JSON.stringify(profile) === expected,
    )
  }),
  2_000,
)

holds(
  t,
  'all orders of up to five messages make one profile',
  fc.property(fc.uniqueArray(message, { selector: ({ sourceId }) => sourceId, minLength: 2, maxLength: 5 }), all => {
    return new Set(permutations(all).map(order => JSON.stringify(asTheyCome(order)))).size === 1
  }),
  60,
)

holds(
  t,
  'each fact is the last one told, and the result is that of the newest activation',
  fc.property(messages, all => {
    const profile = profileFrom(all)
    const inOrder = [...all].sort(inPlace)
    const newest = inOrder.at(-1)
    if (profile === null || newest === undefined) return profile === null && newest === undefined
    const last = (name: 'mdn' | 'msisdn' | 'state' | 'profileStatus' | 'profileRole' | 'servicePlan') =>
      inOrder.map(({ facts }) => facts[name]).findLast(value => value !== null) ?? null
    const ofNewest = all.filter(({ activationId }) => activationId === newest.activationId)
    const final = new Set(
      ofNewest
        .filter(isCallback)
        .map(({ result }) => result)
        .filter(result => result !== 'warning'),
    )
    const said = resultOf(profile.evidence)
    return (
      (['mdn', 'msisdn', 'state', 'profileStatus', 'profileRole', 'servicePlan'] as const).every(
        name => profile[name] === last(name),
      ) &&
      profile.eid === (inOrder.findLast(({ eid }) => eid !== null)?.eid ?? null) &&
      profile.imei === (inOrder.findLast(({ imei }) => imei !== null)?.imei ?? null) &&
      profile.credentialCallbackId === (inOrder.findLast(({ facts }) => facts.hasCredential)?.sourceId ?? null) &&
      profile.activationId === newest.activationId &&
      profile.lastWord.sourceId === newest.sourceId &&
      (ofNewest.some(one => !isCallback(one)) || said === (final.size > 1 ? 'conflict' : ([...final][0] ?? 'warning')))
    )
  }),
  1_000,
)

holds(
  t,
  'messages have one order: no two share a place, and places are compared the same from both sides',
  fc.property(message, message, message, (one, two, three) => {
    const compared = (first: ProfileMessage, second: ProfileMessage) =>
      Math.sign(compareRanks(rankOf(first), rankOf(second)))
    const symmetric = compared(one, two) === 0 - compared(two, one)
    const transitive = !(compared(one, two) <= 0 && compared(two, three) <= 0) || compared(one, three) <= 0
    return symmetric && transitive && (compared(one, two) === 0) === (one.sourceId === two.sourceId)
  }),
)

function isCallback({ source }: ProfileMessage): boolean {
  return source === 'callback'
}

/** The contract's order, said once more: submission, final words over warnings, arrival. */
function inPlace(one: ProfileMessage, other: ProfileMessage): number {
  const place = ({ submittedAt, activationId, result, at, sourceId }: ProfileMessage) =>
    [
      submittedAt.toISOString(),
      activationId.padStart(20, '0'),
      result === 'warning' ? 0 : 1,
      at.toISOString(),
      sourceId,
    ].join(' ')
  return place(one) < place(other) ? -1 : 1
}
