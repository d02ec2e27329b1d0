import assert from 'node:assert/strict'
import { requestIdOf, requestIds } from '../fixtures/model-messages.ts'
import type { ModelService } from '../fixtures/model-service.ts'
import type { Row } from '../fixtures/service.ts'
import { reportsOf, type Stored, type Word } from './contract.ts'
import { type Ledger, messagesSent, type RecordAttempt } from './ledger.ts'

/** What the service shows of one account, beside what the sender knows of it. */
export interface Observed {
  account: string
  /** As listed by the API, in order of arrival. */
  callbacks: Row[]
  stored: Stored[]
  /** By requestId: every activation that was recorded or only named. */
  activations: Map<string, ObservedActivation>
}

export interface ObservedActivation {
  requestId: string
  recorded: boolean
  submittedAt: string
  /** The attempt that recorded it. */
  record: RecordAttempt | null
  problems: Map<string, string | null>
}

/** Everything listed must have been sent, and everything that was acknowledged must be listed. */
export async function observe(service: ModelService, ledger: Ledger, account: string): Promise<Observed> {
  const activations = await observeActivations(service, ledger, account)
  const callbacks = (await listAll(service, account, `/v1/callbacks?accountName=${account}`)).reverse()
  const sent = messagesSent(ledger, account)
  const stored = callbacks.map(({ callbackId, receivedAt, verdict }): Stored => {
    const attempts = sent.find(group => group.some(entry => entry.callbackId === callbackId))
    assert.ok(attempts?.[0], `stored, but never sent: ${callbackId} (${verdict})`)
    const { message } = attempts[0]
    const maybeHeld = message.refused && attempts.some(({ started }) => started < (ledger.mendedAt ?? started + 1))
    return { callbackId, receivedAt, message, held: maybeHeld && verdict === 'quarantined' }
  })
  return { account, callbacks, stored, activations }
}

async function observeActivations(
  service: ModelService,
  ledger: Ledger,
  account: string,
): Promise<Map<string, ObservedActivation>> {
  const rows = await service.sql('select * from activations where account_name = $1', [account])
  const inbox = await service.sql('select id, problem from outgoing_activations where account_name = $1', [account])
  const problems = new Map(inbox.map(({ id, problem }) => [id as string, problem as string | null]))
  return new Map(
    rows.map(row => [
      row.request_id,
      {
        requestId: row.request_id,
        recorded: row.recorded_at !== null,
        submittedAt: row.submitted_at.toISOString(),
        record: recordedBy(ledger, account, row.request_id, problems),
        problems,
      },
    ]),
  )
}

/** The one that was answered 201, or else the first row of the inbox that was taken without a problem. */
function recordedBy(
  ledger: Ledger,
  account: string,
  requestId: string,
  problems: ReadonlyMap<string, string | null>,
): RecordAttempt | null {
  const attempts = ledger.records.filter(entry => entry.account === account && entry.requestId === requestId)
  const byApi = attempts.filter(({ status }) => status === 201)
  assert.ok(byApi.length <= 1, `${requestId} was recorded twice`)
  const bySql = attempts.find(({ via, inboxId }) => via === 'sql' && problems.get(inboxId ?? '') === null)
  return byApi[0] ?? bySql ?? null
}

/** Every item of a list, page by page. */
export async function listAll(service: ModelService, account: string, path: string, limit = 40): Promise<Row[]> {
  const items: Row[] = []
  let cursor = ''
  for (let pages = 0; ; pages += 1) {
    assert.ok(pages < 200, `${path} has no end`)
    const more = `${path.includes('?') ? '&' : '?'}limit=${limit}${cursor}`
    const { status, body } = await service.call(account, 'GET', `${path}${more}`, { replica: pages })
    assert.equal(status, 200, `${path} answers ${status}`)
    items.push(...body.items)
    if (body.next === null) return items
    cursor = `&cursor=${encodeURIComponent(body.next)}`
  }
}

export function storedOf(observed: Observed, requestId: string): Stored[] {
  return observed.stored.filter(({ message }) => requestIdOf(message.request) === requestId)
}

/** All that was said of one profile. */
export function wordsOf(observed: Observed, iccid: string): Word[] {
  return requestIds.flatMap(requestId => {
    const activation = observed.activations.get(requestId)
    if (activation === undefined) return []
    return storedOf(observed, requestId).flatMap(stored =>
      reportsOf(stored, observed.account)
        .filter(({ ids }) => ids.iccid === iccid)
        .map(report => ({ requestId, submittedAt: activation.submittedAt, stored, report })),
    )
  })
}
