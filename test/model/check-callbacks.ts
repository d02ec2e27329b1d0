import assert from 'node:assert/strict'
import { deviceSecret, type Message, namesNoRequest, requestIdOf } from '../fixtures/model-messages.ts'
import type { ModelService } from '../fixtures/model-service.ts'
import type { Row } from '../fixtures/service.ts'
import { reportsOf, type Stored } from './contract.ts'
import { type Attempt, type Ledger, messagesSent } from './ledger.ts'
import type { Observed } from './observe.ts'

/**
 * Invariants 1 to 3: what was acknowledged is stored, what is stored was sent (`observe` saw to that), each distinct
 * message is stored once, counted as often as it came, and has exactly one effect.
 */
export async function checkCallbacks(service: ModelService, ledger: Ledger, observed: Observed): Promise<void> {
  const { account } = observed
  const sent = messagesSent(ledger, account).filter(group => group.some(({ outcome }) => outcome === 'ok'))
  const byId = new Map(observed.callbacks.map(callback => [callback.callbackId as string, callback]))
  assert.equal(byId.size, observed.callbacks.length, 'a list shows nothing twice')
  for (const attempts of sent) {
    const acknowledged = attempts.filter(({ outcome }) => outcome === 'ok')
    const about = JSON.stringify(attempts[0]?.message)
    const ids = new Set(acknowledged.map(({ callbackId }) => callbackId))
    assert.equal(ids.size, 1, `one message, ${ids.size} callbacks: ${about}`)
    const first = acknowledged.filter(({ verdict }) => verdict !== 'repeated')
    const known = acknowledged.length === attempts.length
    assert.ok(known ? first.length === 1 : first.length <= 1, `${first.length} were told to be the first: ${about}`)
    const [id] = ids
    const callback = byId.get(id ?? '')
    assert.ok(callback, `acknowledged, but not stored: ${about}`)
    checkCounters(callback, attempts, acknowledged, about)
  }
  assert.equal(observed.callbacks.length, sent.length, 'as many are stored as distinct ones were acknowledged')
  for (const stored of observed.stored) checkVerdict(byId.get(stored.callbackId), stored, observed)
  await checkEffects(service, observed)
  checkArrival(ledger, observed)
}

function checkCounters(callback: Row, attempts: Attempt[], acknowledged: Attempt[], about: string): void {
  const { timesSeen, highestCallbackCount, receivedAt, lastSeenAt, serviceName } = callback
  assert.ok(
    timesSeen >= acknowledged.length && timesSeen <= attempts.length,
    `seen ${timesSeen} times, sent ${attempts.length}, acknowledged ${acknowledged.length}: ${about}`,
  )
  const counts = attempts.map(({ message, delivery }) => (sameBytesOnly(message) ? 1 : delivery.callbackCount))
  if (acknowledged.length === attempts.length) assert.equal(highestCallbackCount, Math.max(...counts), about)
  assert.ok(lastSeenAt >= receivedAt, about)
  assert.ok(
    attempts.some(({ delivery }) => delivery.service === serviceName),
    about,
  )
}

/** Where the text is ambiguous, every delivery is written the same. */
function sameBytesOnly({ says, variant }: Message): boolean {
  return says === 'unreadable' && variant >= 4
}

function checkVerdict(callback: Row, { message, held }: Stored, { activations, account }: Observed): void {
  const { says } = message
  const requestId = requestIdOf(message.request)
  const recorded = activations.get(requestId)?.recorded ?? false
  const expected =
    held || says === 'unreadable'
      ? ['quarantined']
      : says === 'other'
        ? ['other']
        : recorded
          ? ['applied', 'unchanged']
          : ['unmatched']
  const about = JSON.stringify(message)
  assert.ok(expected.includes(callback.verdict), `${callback.verdict} instead of ${expected.join(' or ')}: ${about}`)
  assert.equal(callback.accountName, account)
  assert.equal(callback.requestId, namesNoRequest(message) ? null : requestId, about)
  const [report] = reportsOf({ message, held }, account)
  assert.equal(callback.result, report?.says ?? null, about)
  assert.equal(callback.faultCode, report?.faultCode ?? null, about)
  assert.equal(callback.body === null, callback.verdict === 'quarantined', about)
  assert.doesNotMatch(JSON.stringify(callback), new RegExp(`${deviceSecret}|-secret-`), 'no secret is shown')
}

/** One line per thing that a message says, on a target exactly when its activation is recorded. */
async function checkEffects(service: ModelService, { account, stored, activations }: Observed): Promise<void> {
  const rows = await service.sql(
    `select source_id, count(*)::int as said, count(target_number)::int as counted from results
     where account_name = $1 group by source_id`,
    [account],
  )
  const effects = new Map(rows.map(row => [row.source_id as string, row]))
  for (const entry of stored) {
    const { callbackId, message } = entry
    const said = reportsOf(entry, account).length
    const recorded = activations.get(requestIdOf(message.request))?.recorded ?? false
    const { said: found, counted } = effects.get(callbackId) ?? { said: 0, counted: 0 }
    assert.deepEqual({ found, counted }, { found: said, counted: recorded ? said : 0 }, JSON.stringify(message))
    effects.delete(callbackId)
  }
  assert.deepEqual([...effects.keys()], [], 'no effect without its callback')
}

/** What was acknowledged before another was sent has arrived before it. */
function checkArrival(ledger: Ledger, { account, callbacks }: Observed): void {
  const first = ledger.attempts
    .filter(entry => entry.account === account && entry.verdict !== null && entry.verdict !== 'repeated')
    .sort((one, other) => one.started - other.started)
  const at = new Map(callbacks.map(({ callbackId, receivedAt }) => [callbackId as string, receivedAt as string]))
  const timeOf = ({ callbackId }: Attempt) => at.get(callbackId ?? '') ?? ''
  first.forEach((entry, n) => {
    for (const later of first.slice(n + 1)) {
      if (entry.ended < later.started) assert.ok(timeOf(entry) <= timeOf(later), 'arrival is told in its order')
    }
  })
}

/** What can't be read is kept byte for byte. */
export async function checkBytes(service: ModelService, ledger: Ledger, observed: Observed): Promise<void> {
  const { account } = observed
  for (const { callbackId } of observed.callbacks.filter(({ verdict }) => verdict === 'quarantined')) {
    const { status, body } = await service.call(account, 'GET', `/v1/callbacks/${callbackId}/bytes`)
    assert.equal(status, 200)
    const written = ledger.attempts.filter(entry => entry.callbackId === callbackId || entry.callbackId === null)
    // The answer was decoded as UTF-8, so what was sent is decoded alike.
    assert.ok(
      written.some(({ bytes }) => bytes.toString('utf8') === body),
      `${callbackId} is not what was sent`,
    )
  }
}
