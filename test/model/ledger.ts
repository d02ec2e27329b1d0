import assert from 'node:assert/strict'
import {
  type Delivery,
  firstDelivery,
  type Identifiers,
  type Message,
  requestIdOf,
  writeMessage,
} from '../fixtures/model-messages.ts'
import type { ModelService } from '../fixtures/model-service.ts'
import type { Answer } from '../fixtures/service.ts'

/** What the sender knows: every attempt, and how it ended. */
export interface Ledger {
  accounts: readonly string[]
  attempts: Attempt[]
  records: RecordAttempt[]
  /** The database takes messages of the state REFUSED since then. */
  mendedAt: number | null
}

export interface Attempt {
  account: string
  message: Message
  delivery: Delivery
  bytes: Buffer
  /** Steps of one clock, so that `ended < started` means: the one was answered before the other was sent. */
  started: number
  ended: number
  outcome: 'ok' | 'refused' | 'unknown'
  verdict: string | null
  callbackId: string | null
}

export interface RecordAttempt {
  account: string
  requestId: string
  via: 'api' | 'sql'
  body: RecordBody
  started: number
  ended: number
  /** Of the answer; null for plain SQL. */
  status: number | null
  /** Of the row in the inbox; null for the API. */
  inboxId: string | null
}

export interface RecordBody {
  devices: Partial<Identifiers>[]
  servicePlan: string | null
  submittedAt: string | null
}

export function newLedger(accounts: readonly string[]): Ledger {
  return { accounts, attempts: [], records: [], mendedAt: null }
}

let clock = 0
export const tick = () => ++clock

export interface SendOptions {
  delivery?: Delivery
  replica?: number
  /** Gives up after so many milliseconds, and so does not learn what became of it. */
  abandonAfter?: number
}

/** One attempt, entered into the ledger. */
export async function attempt(
  service: ModelService,
  ledger: Ledger,
  account: string,
  message: Message,
  { delivery = firstDelivery, replica = 0, abandonAfter }: SendOptions = {},
): Promise<Attempt> {
  const bytes = writeMessage(message, account, delivery)
  const entry: Attempt = {
    account,
    message,
    delivery,
    bytes,
    started: tick(),
    ended: Number.POSITIVE_INFINITY,
    outcome: 'unknown',
    verdict: null,
    callbackId: null,
  }
  ledger.attempts.push(entry)
  const signal = abandonAfter === undefined ? undefined : AbortSignal.timeout(abandonAfter)
  const answer = await service
    .deliver(account, delivery.service, bytes, { replica, ...(signal === undefined ? {} : { signal }) })
    .catch((): Answer | null => null)
  entry.ended = tick()
  if (answer === null || answer.status >= 500) return entry
  entry.outcome = answer.status < 300 ? 'ok' : 'refused'
  entry.verdict = answer.body.verdict ?? null
  entry.callbackId = answer.body.callbackId ?? null
  return entry
}

/** As the carrier does: again until it is taken. Returns the attempt that was. */
export async function deliver(
  service: ModelService,
  ledger: Ledger,
  account: string,
  message: Message,
  options: SendOptions = {},
): Promise<Attempt> {
  for (let tries = 1; ; tries += 1) {
    const entry = await attempt(service, ledger, account, message, options)
    assert.notEqual(entry.outcome, 'refused', `refused: ${JSON.stringify(message)}`)
    if (entry.outcome === 'ok' || options.abandonAfter !== undefined) return entry
    assert.ok(tries < 60, `never taken: ${JSON.stringify(message)}`)
    await pause(100)
  }
}

/** PUT, again while the store can't take it. */
export async function recordByApi(
  service: ModelService,
  ledger: Ledger,
  account: string,
  request: number,
  body: RecordBody,
  replica = 0,
): Promise<RecordAttempt> {
  const requestId = requestIdOf(request)
  const entry: RecordAttempt = {
    account,
    requestId,
    via: 'api',
    body,
    started: tick(),
    ended: Number.POSITIVE_INFINITY,
    status: null,
    inboxId: null,
  }
  ledger.records.push(entry)
  const { servicePlan, submittedAt } = body
  const sent = {
    accountName: account,
    devices: body.devices.map(askedForm),
    ...(servicePlan === null ? {} : { servicePlan }),
    ...(submittedAt === null ? {} : { submittedAt }),
  }
  for (let tries = 1; ; tries += 1) {
    const answer = await service.call(account, 'PUT', `/v1/activations/${requestId}`, { body: sent, replica })
    entry.status = answer.status
    if (answer.status < 500) break
    assert.ok(tries < 60, `never recorded: ${requestId}`)
    await pause(100)
  }
  entry.ended = tick()
  return entry
}

export async function recordBySql(
  service: ModelService,
  ledger: Ledger,
  account: string,
  request: number,
  body: RecordBody,
): Promise<RecordAttempt> {
  const requestId = requestIdOf(request)
  const entry: RecordAttempt = {
    account,
    requestId,
    via: 'sql',
    body,
    started: tick(),
    ended: Number.POSITIVE_INFINITY,
    status: null,
    inboxId: null,
  }
  ledger.records.push(entry)
  const [row] = await service.sql(
    `insert into outgoing_activations (request_id, account_name, service_plan, devices, submitted_at)
     values ($1, $2, $3, $4, $5) returning id`,
    [requestId, account, body.servicePlan, JSON.stringify(body.devices.map(askedForm)), body.submittedAt],
  )
  entry.inboxId = row.id
  entry.ended = tick()
  return entry
}

/** Waits until the service has looked at every row that was written by plain SQL. */
export async function inboxTaken(service: ModelService): Promise<void> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const [row] = await service.sql('select count(*)::int as waiting from outgoing_activations where taken_at is null')
    if (row.waiting === 0) return
    assert.ok(Date.now() < deadline, 'a row of outgoing_activations was never taken')
    await pause(20)
  }
}

/** Sends again what nobody knows the end of, so that from here on all of it is known. */
export async function resendUnknown(service: ModelService, ledger: Ledger): Promise<void> {
  for (const { account, message } of unknownOnly(ledger)) await deliver(service, ledger, account, message)
}

export function unknownOnly(ledger: Ledger): Attempt[] {
  const known = new Set(ledger.attempts.filter(({ outcome }) => outcome === 'ok').map(keyOf))
  return ledger.attempts.filter(entry => !known.has(keyOf(entry)))
}

export function keyOf({ account, message }: { account: string; message: Message }): string {
  return `${account} ${JSON.stringify(message)}`
}

/** Every message that was sent for an account, once, with all its attempts. */
export function messagesSent(ledger: Ledger, account: string): Attempt[][] {
  return [
    ...Map.groupBy(
      ledger.attempts.filter(entry => entry.account === account),
      keyOf,
    ).values(),
  ]
}

function askedForm(ids: Partial<Identifiers>): object {
  return { deviceIds: Object.entries(ids).flatMap(([kind, id]) => (id ? [{ kind, id }] : [])) }
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
