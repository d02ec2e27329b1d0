import assert from 'node:assert/strict'
import { type Identifiers, namesNoRequest, requestIds } from '../fixtures/model-messages.ts'
import type { ModelService } from '../fixtures/model-service.ts'
import type { Row } from '../fixtures/service.ts'
import { countsOf, statusOf, type Target, targetsOf } from './contract.ts'
import type { Ledger, RecordAttempt } from './ledger.ts'
import { listAll, type Observed, type ObservedActivation, storedOf } from './observe.ts'

/** Invariant 4 and the sums: every target says what its callbacks say, and the counts are the sum of the targets. */
export async function checkActivations(service: ModelService, ledger: Ledger, observed: Observed): Promise<void> {
  for (const requestId of requestIds) await checkActivation(service, ledger, observed, requestId)
}

export async function checkActivation(
  service: ModelService,
  ledger: Ledger,
  observed: Observed,
  requestId: string,
): Promise<void> {
  const { account } = observed
  const answer = await service.call(account, 'GET', `/v1/activations/${requestId}`)
  const activation = observed.activations.get(requestId)
  if (activation === undefined || !activation.recorded) {
    assert.equal(answer.status, 404, `${requestId} is not recorded`)
    return
  }
  assert.equal(answer.status, 200)
  assert.ok(activation.record, `${requestId} is recorded, but nobody was told so`)
  checkRecords(ledger, account, activation)
  const { body } = answer
  const targets = targetsOf(askedFor(activation.record), storedOf(observed, requestId), account)
  const counts = countsOf(targets)
  assert.deepEqual(body.counts, counts, `the counts of ${requestId}`)
  assert.equal(body.status, statusOf(counts), `the status of ${requestId}`)
  assert.equal(body.accountName, account)
  const settled = counts.targets > 0 && counts.succeeded + counts.failed === counts.targets
  assert.equal(body.settledAt !== null, settled, `settledAt of ${requestId}`)

  const shown = await listAll(service, account, `/v1/activations/${requestId}/targets`, 3)
  checkTargets(targets, shown, requestId)
  for (const result of ['pending', 'conflict'] as const) {
    const some = await listAll(service, account, `/v1/activations/${requestId}/targets?result=${result}`)
    assert.deepEqual(
      some,
      shown.filter(target => target.result === result),
      `?result=${result} of ${requestId}`,
    )
  }
  const callbacks = await listAll(service, account, `/v1/activations/${requestId}/callbacks`)
  assert.deepEqual(
    callbacks.map(({ callbackId }) => callbackId).sort(),
    storedOf(observed, requestId)
      .filter(({ message }) => !namesNoRequest(message))
      .map(({ callbackId }) => callbackId)
      .sort(),
    `the callbacks of ${requestId}`,
  )
}

function checkTargets(expected: readonly Target[], shown: readonly Row[], requestId: string): void {
  assert.equal(shown.length, expected.length, `as many targets of ${requestId} as expected`)
  const left = [...shown]
  for (const target of expected) {
    const at = left.findIndex(
      ({ requested, ...row }) =>
        requested === target.requested &&
        (['iccid', 'eid', 'imei'] as const).every(
          kind => target.asked[kind] === null || target.asked[kind] === row[kind],
        ) &&
        // A stranger is told by its most specific identifier, so one without an ICCID never learned any.
        (target.requested || (row.iccid === null) === (target.asked.iccid === null)),
    )
    const about = `${JSON.stringify(target.asked)} of ${requestId}`
    assert.ok(at >= 0, `the target ${about} is shown`)
    const [row] = left.splice(at, 1)
    const { result, callbacks, faultCode, source, settledAt } = row
    assert.deepEqual({ result, callbacks }, { result: target.result, callbacks: target.callbacks }, about)
    assert.ok(target.faultCodes.includes(faultCode), `${faultCode} was said of ${about}`)
    assert.equal(source, result === 'pending' ? null : 'callback', about)
    assert.equal(settledAt !== null, result === 'succeeded' || result === 'failed', about)
  }
}

/** One attempt recorded it; every other is told whether it asked the same. */
function checkRecords(
  ledger: Ledger,
  account: string,
  { requestId, record, submittedAt, problems }: ObservedActivation,
) {
  if (record === null) return
  for (const other of ledger.records) {
    if (other === record || other.account !== account || other.requestId !== requestId) continue
    const same = asksTheSame(other, record, submittedAt)
    const about: string = `${requestId} again by ${other.via}: ${JSON.stringify(other.body)} after ${JSON.stringify(record.body)}`
    if (other.via === 'api') assert.equal(other.status, same ? 200 : 409, about)
    else assert.equal(problems.get(other.inboxId ?? '') === null, same, about)
  }
}

export function asksTheSame(one: RecordAttempt, other: RecordAttempt, submittedAt: string): boolean {
  const asked = ({ body }: RecordAttempt) =>
    askedFor({ body })
      .map(ids => JSON.stringify(ids))
      .sort()
  const sameTime = one.body.submittedAt === null || Date.parse(one.body.submittedAt) === Date.parse(submittedAt)
  return (
    sameTime &&
    one.body.servicePlan === other.body.servicePlan &&
    JSON.stringify(asked(one)) === JSON.stringify(asked(other))
  )
}

/** A device that is named twice was asked for once. */
export function askedFor({ body }: Pick<RecordAttempt, 'body'>): Identifiers[] {
  const asked = body.devices.map(({ iccid = null, eid = null, imei = null }) => ({ iccid, eid, imei }))
  return [...new Map(asked.map(ids => [JSON.stringify(ids), ids])).values()]
}

/** For comparing two accounts that were told the same: all of it but numbers, ids and times. */
export async function targetsShown(service: ModelService, account: string, requestId: string): Promise<string[]> {
  const rows = await listAll(service, account, `/v1/activations/${requestId}/targets`)
  return rows.map(({ settledAt: _, overdue: __, ...row }) => JSON.stringify(row).replaceAll(account, 'ACCOUNT')).sort()
}
