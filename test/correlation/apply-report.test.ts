import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { activationStatus, noCounts } from '../../src/activations/activation-status.ts'
import { matchTarget, targetKey } from '../../src/activations/match-target.ts'
import { faultOf, noEvidence, type Result, resultOf } from '../../src/activations/result.ts'
import {
  applyReport,
  applyToTarget,
  changeProfile,
  profileMessage,
  restateActivation,
} from '../../src/correlation/apply-report.ts'
import {
  type ActivationState,
  type Arrival,
  profileKey,
  type TargetState,
  type WorkingSet,
} from '../../src/correlation/working-set.ts'
import { comesBefore, type Profile, type ProfileMessage, profileFrom } from '../../src/profiles/profile.ts'
import type { Identifiers, Report } from '../../src/thingspace/report.ts'
import { holds } from '../fixtures/holds.ts'
import { permutations } from '../fixtures/permutations.ts'

const accountName = '0000123456-00001'
const at = (minute: number) => new Date(Date.UTC(2026, 10, 1, 12, minute))
const ids = (some: Partial<Identifiers>): Identifiers => ({ eid: null, iccid: null, imei: null, ...some })
const nothing = {
  mdn: null,
  msisdn: null,
  state: null,
  profileStatus: null,
  profileRole: null,
  servicePlan: null,
  addressUpdate: null,
  hasCredential: false,
}

let sources = 0
function arrive(
  named: Partial<Identifiers>,
  result: Report['result'] = 'succeeded',
  more: Partial<Arrival & Report> = {},
): Arrival {
  sources += 1
  const { faultCode = null, faultMessage = null, facts = nothing, ...rest } = more
  return {
    sourceId: `source-${String(sources).padStart(6, '0')}`,
    ordinal: 0,
    source: 'callback',
    activationId: '1',
    at: at(sources % 50),
    report: { identifiers: ids(named), result, faultCode, faultMessage, facts },
    ...rest,
  }
}

function emptySet(): WorkingSet {
  const activation: ActivationState = {
    id: '1',
    accountName,
    requestId: 'request-1',
    recorded: false,
    operation: 'activate',
    submittedAt: at(0),
    expectedBy: at(15),
    settledAt: null,
    status: 'pending',
    overdue: false,
    counts: noCounts,
    version: 1,
    touched: false,
  }
  return {
    now: at(59),
    activations: new Map([['1', activation]]),
    targets: new Map(),
    profiles: new Map(),
    changes: [],
  }
}

function activationOf(set: WorkingSet): ActivationState {
  const activation = set.activations.get('1')
  assert(activation !== undefined)
  return activation
}

const targetsOf = (set: WorkingSet) => set.targets.get('1') ?? []

function record(set: WorkingSet, asked: readonly Identifiers[]): void {
  const activation = activationOf(set)
  const targets = asked.map(
    (one, index): TargetState => ({
      ...one,
      activationId: '1',
      number: index + 1,
      requested: true,
      learned: ids({}),
      evidence: noEvidence,
      callbacks: 0,
      overdue: false,
      firstResultAt: null,
      settledAt: null,
      isNew: false,
      touched: true,
    }),
  )
  set.targets.set('1', targets)
  activation.counts = { ...noCounts, targets: targets.length, pending: targets.length }
  activation.recorded = true
}

/** Every message of a profile, as the database has them. */
type Stored = Map<string, ProfileMessage[]>

/** What the database does between arrivals: profiles are there, their messages only where one comes too late. */
function take(set: WorkingSet, arrival: Arrival, stored: Stored): ReturnType<typeof applyReport> {
  const { iccid } = arrival.report.identifiers
  if (iccid !== null) {
    const key = profileKey(accountName, iccid)
    const message = profileMessage(activationOf(set), arrival)
    const messages = stored.get(key) ?? []
    const late = comesBefore(message, set.profiles.get(key)?.profile ?? null)
    const state = set.profiles.get(key) ?? {
      iccid,
      accountName,
      profile: null,
      changedAt: set.now,
      confirmedAt: set.now,
      version: 0,
      loadedVersion: 0,
      messages: null,
      touched: false,
    }
    set.profiles.set(key, { ...state, messages: late ? [...messages] : null })
    stored.set(key, [...messages, message])
  }
  return applyReport(set, arrival)
}

/** Takes some arrivals before the activation is recorded, records it, and takes the rest. */
function run(asked: readonly Identifiers[], arrivals: readonly Arrival[], early = 0): WorkingSet {
  const set = emptySet()
  const stored: Stored = new Map()
  for (const arrival of arrivals.slice(0, early)) take(set, arrival, stored)
  record(set, asked)
  for (const arrival of arrivals.slice(0, early)) applyToTarget(set, activationOf(set), arrival)
  restateActivation(set, activationOf(set), { source: 'record', sourceId: null })
  for (const arrival of arrivals.slice(early)) take(set, arrival, stored)
  return set
}

/** All that can be seen, without what only tells the way there: numbers of unrequested targets, versions. */
function outcome(set: WorkingSet): object {
  const { counts, status, settledAt } = activationOf(set)
  return {
    counts,
    status,
    settledAt,
    targets: targetsOf(set)
      .map(
        ({
          number: _,
          imei: __,
          touched: ___,
          countedFor: ____,
          ...target
        }: TargetState & { countedFor?: string }) => ({
          key: `${target.requested} ${targetKey({ ...target, imei: __ })}`,
          ...target,
          result: resultOf(target.evidence),
          fault: faultOf(target.evidence),
        }),
      )
      .sort((one, other) => (one.key < other.key ? -1 : 1)),
    profiles: [...set.profiles.values()]
      .map(({ iccid, profile }) => ({ iccid, profile }))
      .sort((one, other) => (one.iccid < other.iccid ? -1 : 1)),
  }
}

const seen = (set: WorkingSet) => JSON.stringify(outcome(set))
const results = (set: WorkingSet) =>
  targetsOf(set).map(
    ({ iccid, eid, imei, requested, evidence }) =>
      `${requested ? '' : '+'}${iccid ?? eid ?? imei} ${resultOf(evidence)}`,
  )

t.test('each message counts on the target that it means', async t => {
  const cases: [name: string, asked: Partial<Identifiers>[], arrivals: Arrival[], results: string[], status: string][] =
    [
      ['one profile', [{ iccid: 'A' }], [arrive({ iccid: 'A' })], ['A succeeded'], 'succeeded'],
      ['a warning settles nothing', [{ iccid: 'A' }], [arrive({ iccid: 'A' }, 'warning')], ['A warning'], 'pending'],
      [
        'one of two',
        [{ iccid: 'A' }, { iccid: 'B' }],
        [arrive({ iccid: 'B' })],
        ['A pending', 'B succeeded'],
        'partial',
      ],
      [
        'some of each',
        [{ iccid: 'A' }, { iccid: 'B' }],
        [arrive({ iccid: 'A' }), arrive({ iccid: 'B' }, 'failed')],
        ['A succeeded', 'B failed'],
        'mixed',
      ],
      [
        'both words of one',
        [{ iccid: 'A' }],
        [arrive({ iccid: 'A' }), arrive({ iccid: 'A' }, 'failed')],
        ['A conflict'],
        'conflict',
      ],
      [
        'an ICCID that the carrier made',
        [{ eid: 'X', imei: '1' }],
        [arrive({ iccid: 'A', eid: 'X' })],
        ['X succeeded'],
        'succeeded',
      ],
      [
        'a device nobody asked for',
        [{ iccid: 'A' }],
        [arrive({ iccid: 'B' })],
        ['A pending', '+B succeeded'],
        'partial',
      ],
      [
        'another profile of the device',
        [{ iccid: 'A', eid: 'X' }],
        [arrive({ iccid: 'A', eid: 'X' }), arrive({ iccid: 'B', eid: 'X' })],
        ['A succeeded', '+B succeeded'],
        'succeeded',
      ],
      ['a device by EID alone', [{ eid: 'X' }], [arrive({ eid: 'X' }, 'failed')], ['X failed'], 'failed'],
      [
        'a device by IMEI alone, nobody asked',
        [{ eid: 'X' }],
        [arrive({ imei: '1' }), arrive({ imei: '1' })],
        ['X pending', '+1 succeeded'],
        'partial',
      ],
    ]
  for (const [name, asked, arrivals, expected, status] of cases) {
    for (const order of permutations(arrivals)) {
      const set = run(asked.map(ids), order)
      t.strictSame(results(set), expected, name)
      t.equal(activationOf(set).status, status, name)
    }
  }
})

t.test('a report tells whether it changed anything', async t => {
  const set = emptySet()
  record(set, [ids({ iccid: 'A' }), ids({ eid: 'X' })])
  const stored: Stored = new Map()
  const effects = [
    take(set, arrive({ iccid: 'A' }, 'warning', { at: at(1) }), stored),
    take(set, arrive({ iccid: 'A' }, 'succeeded', { at: at(2) }), stored),
    take(set, arrive({ iccid: 'A' }, 'succeeded', { at: at(3) }), stored),
    take(set, arrive({ iccid: 'A' }, 'warning', { at: at(4), faultCode: 'S.REQUEST_ONHOLD' }), stored),
    take(set, arrive({ eid: 'X' }, 'failed', { at: at(5) }), stored),
    take(set, arrive({ eid: 'Z' }, 'warning', { at: at(6) }), stored),
  ]
  t.strictSame(effects, [
    { targetNumber: 1, changed: true },
    { targetNumber: 1, changed: true },
    { targetNumber: 1, changed: false },
    { targetNumber: 1, changed: false },
    { targetNumber: 2, changed: true },
    { targetNumber: 3, changed: true },
  ])
  t.match(set.profiles.get(profileKey(accountName, 'A')), { version: 2 }, 'what nobody can see makes no version')
  t.equal(set.profiles.size, 1, 'a message of a device touches no profile')
})

t.test('a poll that agrees with a callback, or comes before it, shows its source', async t => {
  const poll = arrive({ iccid: 'A' }, 'succeeded', { source: 'poll' })
  const callback = arrive({ iccid: 'A' })
  const first = run([ids({ iccid: 'A' })], [poll])
  t.match(
    first.changes.findLast(({ kind }) => kind === 'profile'),
    { source: 'poll', callbackId: null },
  )
  const both = run([ids({ iccid: 'A' })], [poll, callback])
  t.match(both.profiles.get(profileKey(accountName, 'A')), { version: 2 }, 'the source is seen, so it is a new version')
})

t.test('whatever is seen of a profile makes a new version when it differs, and nothing else does', async t => {
  const key = profileKey(accountName, 'A')
  const facts = { ...nothing, addressUpdate: { status: 'S', code: '1', description: 'd' } }
  const failed = () => run([], [arrive({ iccid: 'A' }, 'failed', { faultCode: 'F', faultMessage: 'f', facts })])
  const changes = (differ: (profile: Profile) => Profile): boolean => {
    const set = failed()
    const state = set.profiles.get(key) ?? assert.fail()
    const cause = { source: 'callback', sourceId: 'x' } as const
    const changed = changeProfile(set, state, differ(state.profile ?? assert.fail()), activationOf(set), cause)
    t.equal(state.version, changed ? 2 : 1)
    return changed
  }
  const { evidence, addressUpdate } = failed().profiles.get(key)?.profile ?? assert.fail()
  const seen: Partial<Profile>[] = [
    { eid: 'x' },
    { imei: 'x' },
    { mdn: 'x' },
    { msisdn: 'x' },
    { state: 'x' },
    { profileStatus: 'x' },
    { profileRole: 'x' },
    { servicePlan: 'x' },
    { addressUpdate: null },
    { addressUpdate: { status: 'S', code: '2', description: 'd' } },
    { credentialCallbackId: 'x' },
    { activationId: '2' },
    { evidence: { ...evidence, successes: 1 } },
    { evidence: { ...evidence, faults: 0, poll: { result: 'failed', at: '' } } },
    { evidence: { ...evidence, fault: { code: 'G', message: 'f' } } },
    { evidence: { ...evidence, fault: { code: 'F', message: 'g' } } },
  ]
  for (const differing of seen)
    t.ok(
      changes(profile => ({ ...profile, ...differing })),
      JSON.stringify(differing),
    )
  const unseen: Partial<Profile>[] = [
    {},
    { evidence: { ...evidence, faults: 2, warnings: 1, warningFault: { code: 'E', message: null } } },
    { lastWord: { submittedAt: at(9), activationId: '1', final: true, at: at(9), sourceId: 'x' } },
  ]
  for (const differing of unseen)
    t.notOk(
      changes(profile => ({ ...profile, ...differing })),
      JSON.stringify(differing),
    )
  const turned = (value: object) => Object.fromEntries(Object.entries(value).toReversed())
  const stored = { ...turned({ ...failed().profiles.get(key)?.profile }), addressUpdate: turned(addressUpdate ?? {}) }
  t.notOk(
    changes(() => stored as unknown as Profile),
    'the order in which a database gives its keys',
  )
})

t.test('before its activation is recorded a report changes its profile alone', async t => {
  const set = emptySet()
  t.strictSame(take(set, arrive({ iccid: 'A' }), new Map()), { targetNumber: null, changed: true })
  t.equal(targetsOf(set).length, 0)
  t.equal(set.profiles.size, 1)
})

t.test('a target keeps when it first heard, whatever came first', async t => {
  const early = arrive({ iccid: 'A' }, 'warning', { at: at(1) })
  const late = arrive({ iccid: 'A' }, 'succeeded', { at: at(9) })
  for (const order of permutations([early, late]))
    t.strictSame(targetsOf(run([ids({ iccid: 'A' })], order))[0]?.firstResultAt, at(1))
})

t.test('a conflict takes back that its target was settled', async t => {
  const settled = run([ids({ iccid: 'A' })], [arrive({ iccid: 'A' })])
  t.match([targetsOf(settled)[0]?.settledAt, activationOf(settled).settledAt], [settled.now, settled.now])
  const quarrel = run([ids({ iccid: 'A' })], [arrive({ iccid: 'A' }), arrive({ iccid: 'A' }, 'failed')])
  t.match([targetsOf(quarrel)[0]?.settledAt, activationOf(quarrel).settledAt], [null, null])
})

t.test('an activation that settles is overdue no longer, nor is its target', async t => {
  const set = emptySet()
  record(set, [ids({ iccid: 'A' }), ids({ iccid: 'B' })])
  activationOf(set).overdue = true
  for (const target of targetsOf(set)) target.overdue = true
  const overdue = () => [activationOf(set).overdue, ...targetsOf(set).map(target => target.overdue)]
  take(set, arrive({ iccid: 'A' }), new Map())
  t.strictSame(overdue(), [true, false, true])
  take(set, arrive({ iccid: 'B' }), new Map())
  t.strictSame(overdue(), [false, false, false])
  const [told] = set.changes.filter(({ kind }) => kind === 'activation').toReversed()
  t.match(told, { was: { status: 'partial', overdue: true }, becomes: { status: 'succeeded', overdue: false } })
})

t.test('a change holds what differs, and nothing else', async t => {
  const facts = { ...nothing, state: 'PENDING', profileStatus: 'ENABLE' }
  const set = run(
    [ids({ iccid: 'A' }), ids({ iccid: 'B' })],
    [
      arrive({ iccid: 'A', eid: 'X' }, 'warning', { at: at(1), facts }),
      arrive({ iccid: 'A', eid: 'X' }, 'succeeded', { at: at(2), facts: { ...facts, state: 'ACTIVE' } }),
    ],
  )
  const told = set.changes.map(({ kind, was, becomes }) => ({ kind, was, becomes }))
  t.strictSame(told, [
    { kind: 'result', was: { result: 'pending' }, becomes: { result: 'warning' } },
    {
      kind: 'profile',
      was: null,
      becomes: { state: 'PENDING', profileStatus: 'ENABLE', profileRole: null, servicePlan: null },
    },
    { kind: 'result', was: { result: 'warning' }, becomes: { result: 'succeeded' } },
    { kind: 'activation', was: { status: 'pending' }, becomes: { status: 'partial' } },
    { kind: 'profile', was: { state: 'PENDING' }, becomes: { state: 'ACTIVE' } },
  ])
  t.ok(set.changes.every(({ accountName: of, requestId }) => of === accountName && requestId === 'request-1'))
})

t.test('what would be applied to rows that were not loaded is refused', async t => {
  t.throws(
    () => applyReport({ ...emptySet(), activations: new Map() }, arrive({ iccid: 'A' })),
    /an activation is locked/,
  )
  t.throws(() => applyReport(emptySet(), arrive({ iccid: 'A' })), /a profile is loaded/)
  const set = run([], [arrive({ iccid: 'A' }, 'succeeded', { at: at(5) })])
  t.throws(
    () => applyReport(set, arrive({ iccid: 'A' }, 'succeeded', { at: at(1) })),
    /messages of a profile are loaded/,
  )
  t.notOk(
    changeProfile(set, [...set.profiles.values()][0] as never, profileFrom([]), activationOf(set), {
      source: 'callback',
      sourceId: 'x',
    }),
  )
})

const some = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: null })
const named: fc.Arbitrary<Identifiers> = fc
  .record({
    iccid: some(fc.constantFrom('A', 'B', 'C')),
    eid: some(fc.constantFrom('X', 'Y')),
    imei: some(fc.constantFrom('490154203237518', '49015420323751', '359881030314356')),
  })
  .filter(({ iccid, eid, imei }) => (iccid ?? eid ?? imei) !== null)
const word = fc.constantFrom(null, 'S', 'T')
const arrivals: fc.Arbitrary<Arrival[]> = fc.uniqueArray(
  fc
    .record({
      sourceId: fc.uuid(),
      source: fc.constantFrom(
        'callback' as const,
        'callback' as const,
        'callback' as const,
        'poll' as const,
        'manual' as const,
      ),
      at: fc.nat({ max: 4 }).map(at),
      identifiers: named,
      result: fc.constantFrom('warning' as const, 'succeeded' as const, 'failed' as const),
      faultCode: word,
      faultMessage: word,
      state: word,
      profileStatus: word,
      hasCredential: fc.boolean(),
    })
    .map(({ sourceId, source, at, state, profileStatus, hasCredential, ...report }) => ({
      sourceId,
      ordinal: 0,
      source,
      activationId: '1',
      at,
      report: { ...report, facts: { ...nothing, state, profileStatus, hasCredential } },
    })),
  { selector: ({ sourceId }) => sourceId, maxLength: 7 },
)
const asked = fc.uniqueArray(named, { selector: targetKey, maxLength: 4 })
const inTwoOrders = arrivals.chain(all =>
  fc.tuple(
    fc.constant(all),
    fc.shuffledSubarray(all, { minLength: all.length }),
    fc.nat({ max: all.length }),
    fc.nat({ max: all.length }),
  ),
)

holds(
  t,
  'the same arrivals make the same targets, counts, status and profiles, in any order, before or after the record',
  fc.property(asked, inTwoOrders, (targets, [one, other, early, otherEarly]) => {
    return seen(run(targets, one, early)) === seen(run(targets, other, otherEarly))
  }),
  1_500,
)

holds(
  t,
  'counts are the sum of the targets, and the status is theirs',
  fc.property(asked, inTwoOrders, (targets, [all, , early]) => {
    const set = run(targets, all, early)
    const { counts, status } = activationOf(set)
    const found = targetsOf(set).map(({ evidence }) => resultOf(evidence))
    const of = (result: Result) => found.filter(one => one === result).length
    const expected = {
      targets: found.length,
      pending: of('pending'),
      warning: of('warning'),
      succeeded: of('succeeded'),
      failed: of('failed'),
      conflict: of('conflict'),
    }
    assert.deepEqual(counts, expected)
    assert.equal(status, activationStatus(counts))
    assert.deepEqual(
      targetsOf(set).map(({ number }) => number),
      found.map((_, index) => index + 1),
      'numbers are dense',
    )
    return true
  }),
)

holds(
  t,
  'every arrival counts on exactly one target, that of its own matching, and on the profile that it names',
  fc.property(asked, arrivals, (targets, all) => {
    const set = run(targets, all)
    const means = (arrival: Arrival) => matchTarget(targetsOf(set), arrival.report.identifiers)
    for (const target of targetsOf(set)) {
      const own = all.filter(arrival => means(arrival) === target)
      assert.equal(target.callbacks, own.filter(({ source }) => source === 'callback').length)
      assert.ok(target.requested || own.length > 0)
    }
    assert.ok(all.every(arrival => means(arrival) !== null))
    const iccids = new Set(all.flatMap(({ report }) => report.identifiers.iccid ?? []))
    assert.deepEqual([...set.profiles.values()].map(({ iccid }) => iccid).sort(), [...iccids].sort())
    return true
  }),
)

holds(
  t,
  'whoever follows the changes from the beginning knows the end',
  fc.property(asked, inTwoOrders, (targets, [all, , early]) => {
    const set = run(targets, all, early)
    const status = set.changes.findLast(({ kind }) => kind === 'activation')?.becomes.status ?? 'pending'
    assert.equal(status, activationOf(set).status)
    for (const { iccid, profile, version } of set.profiles.values()) {
      const told = set.changes.filter(change => change.kind === 'profile' && change.iccid === iccid)
      assert.equal(told.length, version)
      assert.deepEqual(
        told.map(change => change.profile?.version),
        told.map((_, index) => index + 1),
      )
      const followed = Object.assign({}, ...told.map(({ becomes }) => becomes))
      const { state, profileStatus, profileRole, servicePlan } = profile ?? assert.fail()
      assert.deepEqual(followed, { state, profileStatus, profileRole, servicePlan })
    }
    return set.changes.every(({ source, callbackId }) => (source === 'callback') === (callbackId !== null))
  }),
)
