import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type Delivery,
  firstDelivery,
  identifiersOf,
  type Message,
  normalMessage,
  type ProfileName,
  randomFrom,
  requestIdOf,
  requestIds,
  shuffled,
} from '../fixtures/model-messages.ts'
import { accounts, type ModelService } from '../fixtures/model-service.ts'
import { askedFor, checkActivation } from './check-activations.ts'
import { checkCallbacks } from './check-callbacks.ts'
import { checkDevice, checkProfile, checkTag, profileNames } from './check-profiles.ts'
import { isTied, profileOf, targetsOf } from './contract.ts'
import {
  type Attempt,
  attempt,
  deliver,
  inboxTaken,
  type Ledger,
  messagesSent,
  type RecordBody,
  recordByApi,
  recordBySql,
  resendUnknown,
  unknownOnly,
} from './ledger.ts'
import { listAll, type Observed, observe, storedOf, wordsOf } from './observe.ts'
import { anyDelivery, mend, reprocess } from './settle.ts'
import type { States } from './states.ts'

export interface World {
  ledger: Ledger
  states: States
}

export type Command = fc.AsyncCommand<World, ModelService>

function command(text: string, run: Command['run'], check: Command['check'] = () => true): Command {
  return { check, run, toString: () => text }
}

const accountOf = (side: number) => accounts[side % accounts.length] as string

/** One message, awaited; told whether it changed something. */
export function send(side: number, message: Message, delivery = firstDelivery, replica = 0): Command {
  return command(`send ${side} ${words(message)}`, async ({ ledger }, service) => {
    const account = accountOf(side)
    const quiet = unknownOnly(ledger).length === 0 && (await inboxIsEmpty(service))
    const before = quiet ? await observe(service, ledger, account) : null
    const entry = await deliver(service, ledger, account, message, { delivery, replica })
    if (before !== null) checkAnswer(entry, before, await observe(service, ledger, account))
  })
}

/** What must have been answered, from what was known before and what is known after. */
function checkAnswer(entry: Attempt, before: Observed, after: Observed): void {
  const { message, verdict } = entry
  const about = `${verdict} for ${words(message)}`
  const known = before.stored.some(({ callbackId }) => callbackId === entry.callbackId)
  if (known || verdict === 'repeated') {
    assert.equal(verdict, 'repeated', about)
    return
  }
  const requestId = requestIdOf(message.request)
  const activation = before.activations.get(requestId)
  const stored = after.stored.find(({ callbackId }) => callbackId === entry.callbackId)
  if (message.says === 'unreadable' || stored?.held) assert.equal(verdict, 'quarantined', about)
  else if (message.says === 'other') assert.equal(verdict, 'other', about)
  else if (!activation?.recorded) assert.equal(verdict, 'unmatched', about)
  else if (profileNames.some(name => isTied(wordsOf(after, identifiersOf(name).iccid)))) return
  else if (shownOf(before, requestId) !== shownOf(after, requestId)) assert.equal(verdict, 'applied', about)
  else if (faultsOf(before, requestId) === faultsOf(after, requestId)) assert.equal(verdict, 'unchanged', about)
}

function shownOf(observed: Observed, requestId: string): string {
  const record = observed.activations.get(requestId)?.record
  const targets = record ? targetsOf(askedFor(record), storedOf(observed, requestId), observed.account) : []
  const profiles = profileNames.map(name => profileOf(wordsOf(observed, identifiersOf(name).iccid)))
  return JSON.stringify([
    targets.map(({ asked, result }) => [asked, result]),
    // From which of two callbacks a credential is told makes no difference to what is shown.
    profiles.map(profile => (profile === null ? null : { ...profile, faultCodes: null, credentialFrom: null })),
  ])
}

/** Which of several faults is shown is not promised: with one more of them it may be another. */
function faultsOf(observed: Observed, requestId: string): string {
  const said = storedOf(observed, requestId).map(({ message }) => message)
  return JSON.stringify(said.filter(({ says }) => says === 'fault' || says === 'on-hold').length)
}

export function repeat(nth: number, delivery: Delivery, replica = 0): Command {
  return command(
    `repeat ${nth} ${JSON.stringify(delivery)}`,
    async ({ ledger }, service) => {
      const { account, message } = ledger.attempts[nth % ledger.attempts.length] as Attempt
      const known = messagesSent(ledger, account).some(group =>
        group.some(one => one.outcome === 'ok' && words(one.message) === words(message)),
      )
      const entry = await deliver(service, ledger, account, message, { delivery, replica })
      if (known) assert.equal(entry.verdict, 'repeated', words(message))
    },
    ({ ledger }) => ledger.attempts.length > 0,
  )
}

/** Hangs up before the answer, as a carrier that lost patience. */
export function abandon(side: number, message: Message, abandonAfter: number): Command {
  return command(`abandon after ${abandonAfter} ms ${side} ${words(message)}`, async ({ ledger }, service) => {
    await attempt(service, ledger, accountOf(side), message, { abandonAfter })
  })
}

/** One message many times at once, on both replicas. */
export function storm(side: number, message: Message, copies: number, seed: number): Command {
  return command(`storm ${copies} times ${side} ${words(message)}`, async ({ ledger }, service) => {
    const random = randomFrom(seed)
    await Promise.all(
      Array.from({ length: copies }, (_, replica) =>
        deliver(service, ledger, accountOf(side), message, { delivery: anyDelivery(random), replica }),
      ),
    )
  })
}

/** Different messages at once, some of them twice, and their activation recorded in the middle of it. */
export function together(side: number, messages: Message[], body: RecordBody | null, seed: number): Command {
  const text = `together ${side} ${messages.map(words).join(' ')} ${body === null ? '' : JSON.stringify(body)}`
  return command(text, async ({ ledger }, service) => {
    const random = randomFrom(seed)
    const account = accountOf(side)
    const sends = messages.flatMap((message, replica) =>
      Array.from(
        { length: random() < 0.3 ? 2 : 1 },
        () => () => deliver(service, ledger, account, message, { delivery: anyDelivery(random), replica }),
      ),
    )
    const request = messages[0]?.request ?? 0
    const record = body === null ? [] : [() => recordByApi(service, ledger, account, request, body, 1)]
    await Promise.all(shuffled<() => Promise<unknown>>([...sends, ...record], random).map(step => step()))
  })
}

/** An activation of all profiles, and its callbacks all at once, each of them twice. */
export function bulk(side: number, request: number, note: number, seed: number): Command {
  return command(`bulk ${side} ${requestIdOf(request)}`, async ({ ledger }, service) => {
    const random = randomFrom(seed)
    const account = accountOf(side)
    const devices = profileNames.map(identifiersOf)
    await recordByApi(service, ledger, account, request, { devices, servicePlan: null, submittedAt: null })
    const messages = profileNames.map((name, n) =>
      normalMessage({ ...plainMessage, request, about: [name], note, says: n % 3 === 2 ? 'fault' : 'success' }),
    )
    await Promise.all(
      shuffled([...messages, ...messages], random).map((message, replica) =>
        deliver(service, ledger, account, message, { delivery: anyDelivery(random), replica }),
      ),
    )
  })
}

export const plainMessage: Message = {
  says: 'success',
  request: 0,
  about: [{ device: 0, profile: 0 }],
  level: 'profile',
  variant: 0,
  refused: false,
  credential: true,
  spelling: 'seed',
  note: 0,
}

export function record(via: 'api' | 'sql', side: number, request: number, body: RecordBody, replica = 0): Command {
  return command(`record by ${via} ${side} ${requestIdOf(request)} ${JSON.stringify(body)}`, async (world, service) => {
    if (via === 'api') await recordByApi(service, world.ledger, accountOf(side), request, body, replica)
    else await recordBySql(service, world.ledger, accountOf(side), request, body)
  })
}

export type Difference = 'none' | 'order' | 'plan' | 'devices'

export function recordAgain(nth: number, via: 'api' | 'sql', difference: Difference): Command {
  return command(
    `record again ${nth} by ${via}, different: ${difference}`,
    async ({ ledger }, service) => {
      const first = ledger.records[nth % ledger.records.length]
      if (first === undefined) return
      const request = requestIds.indexOf(first.requestId)
      const body = differently(first.body, difference)
      if (via === 'api') await recordByApi(service, ledger, first.account, request, body)
      else await recordBySql(service, ledger, first.account, request, body)
    },
    ({ ledger }) => ledger.records.length > 0,
  )
}

function differently(body: RecordBody, difference: Difference): RecordBody {
  if (difference === 'order') return { ...body, devices: body.devices.toReversed() }
  if (difference === 'plan') return { ...body, servicePlan: 'ANOTHER_PLAN' }
  if (difference === 'devices') return { ...body, devices: [...body.devices, { imei: '990000862471854' }] }
  return body
}

export function reprocessAll(side: number, filter: { verdict?: string; dryRun?: boolean }): Command {
  return command(`reprocess ${side} ${JSON.stringify(filter)}`, ({ states }, service) =>
    reprocess(service, states, accountOf(side), filter),
  )
}

export function reprocessOne(nth: number): Command {
  return command(
    `reprocess the callback of attempt ${nth}`,
    async ({ ledger }, service) => {
      const { account, callbackId } = ledger.attempts[nth % ledger.attempts.length] as Attempt
      if (callbackId === null) return
      const { status, body } = await service.call(account, 'POST', `/v1/callbacks/${callbackId}/reprocess`)
      assert.deepEqual([status, body.matched], [200, 1])
    },
    ({ ledger }) => ledger.attempts.length > 0,
  )
}

export function mendDatabase(): Command {
  return command('mend the database', ({ ledger }, service) => mend(service, ledger))
}

export type Question = 'callbacks' | 'activation' | 'profile' | 'device' | 'tag'

/** Asks one thing, and compares the answer with the model. */
export function query(side: number, question: Question, nth: number): Command {
  return command(`query ${side} ${question} ${nth}`, async ({ ledger }, service) => {
    const account = accountOf(side)
    await resendUnknown(service, ledger)
    if (!(await inboxIsEmpty(service))) return
    const observed = await observe(service, ledger, account)
    if (question === 'callbacks') await checkCallbacks(service, ledger, observed)
    if (question === 'activation') await checkActivation(service, ledger, observed, requestIdOf(nth))
    if (question === 'profile') await checkProfile(service, observed, profileAt(nth))
    if (question === 'device') await checkDevice(service, observed, nth % 3)
    if (question === 'tag') await checkActivationTag(service, observed, requestIdOf(nth))
  })
}

async function checkActivationTag(service: ModelService, { account, activations }: Observed, requestId: string) {
  if (!activations.get(requestId)?.recorded) return
  const path = `/v1/activations/${requestId}`
  await checkTag(service, account, path, await service.call(account, 'GET', path))
}

function profileAt(nth: number): ProfileName {
  return profileNames[nth % profileNames.length] as ProfileName
}

/** Asks with the other account's token for what it may not see. */
export function pry(nth: number): Command {
  return command(
    `pry ${nth}`,
    async ({ ledger }, service) => {
      const { account, callbackId, message } = ledger.attempts[nth % ledger.attempts.length] as Attempt
      const stranger = accounts.find(other => other !== account) as string
      const filtered = await listAll(service, stranger, `/v1/callbacks?accountName=${account}`)
      assert.deepEqual(filtered, [], 'a filter for a foreign account finds nothing')
      const own = await listAll(service, stranger, `/v1/callbacks?requestId=${requestIdOf(message.request)}`)
      assert.ok(own.every(({ accountName }) => accountName === stranger))
      const body = { accountName: account, devices: [{ deviceIds: [{ kind: 'imei', id: '990000862471854' }] }] }
      const put = await service.call(stranger, 'PUT', `/v1/activations/${requestIdOf(message.request)}`, { body })
      assert.equal(put.status, 403, 'nobody records for a foreign account')
      const again = await service.call(stranger, 'POST', '/v1/callbacks/reprocess', { body: { accountName: account } })
      assert.deepEqual([again.status, again.body.matched], [200, 0])
      if (callbackId === null) return
      const unknown = '01a209e4-88fd-7081-b146-8ea9b31f82b7'
      for (const [method, more] of [
        ['GET', ''],
        ['GET', '/bytes'],
        ['POST', '/reprocess'],
      ] as const) {
        const foreign = await service.call(stranger, method, `/v1/callbacks/${callbackId}${more}`)
        const none = await service.call(stranger, method, `/v1/callbacks/${unknown}${more}`)
        assert.deepEqual([foreign.status, foreign.body], [404, none.body], 'foreign and unknown are answered alike')
      }
    },
    ({ ledger }) => ledger.attempts.length > 0,
  )
}

async function inboxIsEmpty(service: ModelService): Promise<boolean> {
  const [row] = await service.sql('select count(*)::int as waiting from outgoing_activations where taken_at is null')
  return row.waiting === 0
}

export function waitForInbox(): Command {
  return command('wait for the inbox', (_, service) => inboxTaken(service))
}

/** For reports: short, and different for different messages. */
function words({ says, request, about, level, variant, refused, credential, spelling, note }: Message): string {
  const names = about.map(({ device, profile }) => `${device}.${profile}`).join(' ')
  const more = `${level === 'device' ? ' EID only' : ''}${refused ? ' refused' : ''}${credential ? ' credential' : ''}`
  return `<${says} of ${requestIdOf(request)} about ${names}${more} ${variant} ${spelling} ${note}>`
}

// ---- what is drawn ----

const side = fc.nat(1)
const replica = fc.nat(1)
const seed = fc.nat(999_999)
const request = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }) },
)
const profileName = fc.record({ device: fc.nat(2), profile: fc.nat(1) })

const message: fc.Arbitrary<Message> = fc
  .record({
    says: fc.oneof(
      { weight: 6, arbitrary: fc.constant('success' as const) },
      { weight: 4, arbitrary: fc.constant('warning' as const) },
      { weight: 3, arbitrary: fc.constant('fault' as const) },
      { weight: 1, arbitrary: fc.constantFrom('on-hold' as const, 'other' as const, 'unreadable' as const) },
    ),
    request,
    about: fc.uniqueArray(profileName, {
      minLength: 1,
      maxLength: 3,
      selector: ({ device, profile }) => 2 * device + profile,
    }),
    level: fc.constantFrom('profile' as const, 'profile' as const, 'profile' as const, 'device' as const),
    variant: fc.nat(5),
    refused: fc.nat(9).map(n => n === 0),
    credential: fc.boolean(),
    spelling: fc.constantFrom('seed' as const, 'lists' as const, 'pascal' as const),
    note: fc.nat(1),
  })
  .map(normalMessage)

const delivery: fc.Arbitrary<Delivery> = fc.record({
  callbackCount: fc.integer({ min: 1, max: 4 }),
  order: fc.nat(999),
  upperKinds: fc.boolean(),
  previousPassword: fc.boolean(),
  service: fc.constantFrom('CarrierService' as const, 'DeviceProfileService' as const),
})

/** Each device is asked for as a device, or by its profiles: never both, since then nobody could say which is meant. */
const devices: fc.Arbitrary<RecordBody['devices']> = fc
  .tuple(
    ...[0, 1, 2].map(n =>
      fc.constantFrom('no', 'both', 'one', 'iccid', 'eid+imei', 'eid', 'imei').map(how => ask(n, how)),
    ),
  )
  .map(asked => asked.flat())
  .map(asked => (asked.length === 0 ? ask(0, 'both') : asked))

function ask(device: number, how: string): RecordBody['devices'] {
  const { iccid, eid, imei } = identifiersOf({ device, profile: 0 })
  if (how === 'both') return [identifiersOf({ device, profile: 0 }), identifiersOf({ device, profile: 1 })]
  if (how === 'one') return [{ iccid, eid, imei }]
  if (how === 'iccid') return [{ iccid }]
  if (how === 'eid+imei') return [{ eid, imei }]
  if (how === 'eid') return [{ eid }]
  return how === 'imei' ? [{ imei }] : []
}

/** Times of their own: of two activations sent in the same millisecond neither is the newer. */
const recordOf = request.chain(n =>
  fc.record({
    request: fc.constant(n),
    body: fc.record({
      devices,
      servicePlan: fc.constantFrom(null, 'EXAMPLE_PLAN'),
      submittedAt: fc.oneof(
        fc.constant(null),
        fc.nat(40).map(slot => new Date(Date.UTC(2026, 0, 1) + (4 * slot + n) * 1_000).toISOString()),
        fc.nat(40).map(slot => new Date(Date.UTC(2100, 0, 1) + (4 * slot + n) * 1_000).toISOString()),
      ),
    }),
  }),
)

const nth = fc.nat(200)

/** Weighed by how often each is named. */
export const commands: fc.Arbitrary<Command>[] = [
  ...Array.from({ length: 4 }, () => fc.tuple(side, message, delivery, replica).map(drawn => send(...drawn))),
  ...Array.from({ length: 2 }, () => fc.tuple(nth, delivery, replica).map(drawn => repeat(...drawn))),
  fc.tuple(side, message, fc.integer({ min: 1, max: 4 })).map(drawn => abandon(...drawn)),
  fc.tuple(side, message, fc.integer({ min: 2, max: 20 }), seed).map(drawn => storm(...drawn)),
  ...Array.from({ length: 3 }, () =>
    fc
      .tuple(side, fc.array(message, { minLength: 2, maxLength: 8 }), fc.option(recordOf), seed)
      .map(([who, messages, drawn, order]) =>
        together(
          who,
          drawn === null
            ? messages
            : messages.map((one, n) => (n % 2 === 0 ? { ...one, request: drawn.request } : one)),
          drawn?.body ?? null,
          order,
        ),
      ),
  ),
  fc.tuple(side, request, fc.nat(1), seed).map(drawn => bulk(...drawn)),
  ...Array.from({ length: 2 }, () =>
    fc.tuple(side, recordOf, replica).map(([who, drawn, on]) => record('api', who, drawn.request, drawn.body, on)),
  ),
  fc.tuple(side, recordOf).map(([who, drawn]) => record('sql', who, drawn.request, drawn.body)),
  fc
    .tuple(
      nth,
      fc.constantFrom('api' as const, 'api' as const, 'sql' as const),
      fc.constantFrom<Difference[]>('none', 'order', 'plan', 'devices'),
    )
    .map(drawn => recordAgain(...drawn)),
  fc
    .tuple(
      side,
      fc.constantFrom({ verdict: 'quarantined' }, {}, { verdict: 'unmatched' }, { dryRun: true }, { verdict: 'other' }),
    )
    .map(drawn => reprocessAll(...drawn)),
  nth.map(reprocessOne),
  fc.constant(mendDatabase()),
  ...Array.from({ length: 2 }, () =>
    fc
      .tuple(side, fc.constantFrom<Question[]>('callbacks', 'activation', 'profile', 'device', 'tag'), nth)
      .map(drawn => query(...drawn)),
  ),
  nth.map(pry),
]
