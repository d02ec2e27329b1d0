import assert from 'node:assert/strict'
import { countsThatDiffer } from '../fixtures/count-by-scan.ts'
import { type Delivery, identifiersOf, randomFrom, requestIds, shuffled } from '../fixtures/model-messages.ts'
import { accounts, type ModelService, replayAccounts } from '../fixtures/model-service.ts'
import { checkActivations, targetsShown } from './check-activations.ts'
import { checkBytes, checkCallbacks } from './check-callbacks.ts'
import { checkFeed } from './check-feed.ts'
import { checkProfiles, profileNames, profileShown } from './check-profiles.ts'
import { dependsOnArrival } from './contract.ts'
import {
  deliver,
  inboxTaken,
  type Ledger,
  messagesSent,
  newLedger,
  recordByApi,
  resendUnknown,
  tick,
} from './ledger.ts'
import { type Observed, observe, wordsOf } from './observe.ts'
import type { States } from './states.ts'

/** Brings a run to its end: nothing unknown, nothing waiting, what could not be applied mended and reprocessed. */
export async function settle(service: ModelService, ledger: Ledger, states: States, recordRest: boolean) {
  await resendUnknown(service, ledger)
  await inboxTaken(service)
  for (const account of ledger.accounts) await checkBytes(service, ledger, await observe(service, ledger, account))
  await mend(service, ledger)
  for (const account of ledger.accounts) await reprocess(service, states, account, { verdict: 'quarantined' })
  if (recordRest) for (const account of ledger.accounts) await recordUnrecorded(service, ledger, account)
}

export async function mend(service: ModelService, ledger: Ledger): Promise<void> {
  await service.accept()
  ledger.mendedAt ??= tick()
}

export async function reprocess(service: ModelService, states: States, account: string, filter: object): Promise<void> {
  const { status, body } = await service.call(account, 'POST', '/v1/callbacks/reprocess', { body: filter })
  assert.equal(status, 200, `reprocess answers ${status}: ${JSON.stringify(body)}`)
  const { applied = 0, unchanged = 0, unmatched = 0, ...rest } = body.verdicts
  const sum = Object.values<number>(body.verdicts).reduce((total, count) => total + count, 0)
  assert.equal(sum, body.reprocessed)
  assert.ok(body.reprocessed <= body.matched)
  if ('verdict' in filter && filter.verdict === 'quarantined' && applied + unchanged + unmatched > 0) {
    states['reprocess that changed something'] += 1
  }
  assert.ok(
    Object.keys(rest).every(name => ['other', 'quarantined'].includes(name)),
    JSON.stringify(body),
  )
}

async function recordUnrecorded(service: ModelService, ledger: Ledger, account: string): Promise<void> {
  const { activations } = await observe(service, ledger, account)
  for (const { requestId, recorded } of activations.values()) {
    if (recorded) continue
    const request = requestIds.indexOf(requestId)
    const body = { devices: [identifiersOf({ device: 0, profile: 0 })], servicePlan: null, submittedAt: null }
    const { status } = await recordByApi(service, ledger, account, request, body)
    assert.equal(status, 201)
  }
}

/** Compares ledger, API and database. */
export async function check(service: ModelService, ledger: Ledger, account: string): Promise<Observed> {
  const observed = await observe(service, ledger, account)
  await checkCallbacks(service, ledger, observed)
  await checkActivations(service, ledger, observed)
  await checkProfiles(service, observed)
  await checkFeed(service, observed)
  assert.deepEqual(await service.sql(countsThatDiffer), [], 'the kept counts are what a scan says')
  return observed
}

/** Invariant 5: the same, sent to other accounts in another order and with other repeats, ends the same. */
export async function replay(service: ModelService, ledger: Ledger, seed: number): Promise<void> {
  const random = randomFrom(seed)
  const again = newLedger(replayAccounts)
  again.mendedAt = 0
  const before = await Promise.all(accounts.map(account => observe(service, ledger, account)))
  const steps = before.flatMap((observed, n) => {
    const account = replayAccounts[n] as string
    const messages = messagesSent(ledger, observed.account).flatMap(([first]) => {
      if (first === undefined) return []
      const copies = 1 + Math.floor(random() * 2.5)
      return Array.from(
        { length: copies },
        () => () => deliver(service, again, account, first.message, { delivery: anyDelivery(random), replica: copies }),
      )
    })
    const records = [...observed.activations.values()].flatMap(({ record, requestId, submittedAt }) =>
      record === null
        ? []
        : [() => recordByApi(service, again, account, requestIds.indexOf(requestId), { ...record.body, submittedAt })],
    )
    return [...messages, ...records]
  })
  const left = shuffled<() => Promise<unknown>>(steps, random)
  while (left.length > 0) await Promise.all(left.splice(0, 1 + Math.floor(random() * 12)).map(step => step()))

  for (const [n, observed] of before.entries()) {
    const account = replayAccounts[n] as string
    await check(service, again, account)
    await compare(service, observed, account)
  }
}

async function compare(service: ModelService, observed: Observed, account: string): Promise<void> {
  for (const { requestId, recorded } of observed.activations.values()) {
    if (!recorded) continue
    assert.deepEqual(
      await targetsShown(service, account, requestId),
      await targetsShown(service, observed.account, requestId),
      `the targets of ${requestId} do not depend on order and repeats`,
    )
  }
  for (const name of profileNames) {
    const { iccid } = identifiersOf(name)
    const recorded = (requestId: string) => observed.activations.get(requestId)?.recorded ?? false
    if (dependsOnArrival(wordsOf(observed, iccid), recorded)) continue
    assert.equal(
      await profileShown(service, account, iccid),
      await profileShown(service, observed.account, iccid),
      `the profile ${iccid} does not depend on order and repeats`,
    )
  }
}

export function anyDelivery(random: () => number): Delivery {
  return {
    callbackCount: 1 + Math.floor(random() * 4),
    order: Math.floor(random() * 1_000),
    upperKinds: random() < 0.5,
    previousPassword: random() < 0.3,
    service: random() < 0.5 ? 'CarrierService' : 'DeviceProfileService',
  }
}
