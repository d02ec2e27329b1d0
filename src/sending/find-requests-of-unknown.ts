import { type Kysely, sql } from 'kysely'
import { targetsAskedFor } from '../activations/activation-request.ts'
import { matchTarget } from '../activations/match-target.ts'
import type { Tables } from '../database/tables.ts'
import type { Identifiers } from '../thingspace/read-callback.ts'
import { compareDevices } from './compare-devices.ts'
import { findSubmission } from './submission.ts'

export interface Identified {
  /** Of the submission. */
  id: string
  requestId: string
}

/** An unknown submission, and the activation that stands in for it. */
interface Unknown {
  id: string
  accountName: string
  sentAt: Date
  standInId: string
  targets: number
}

/** A request that nobody recorded, and one device of those that its callbacks speak of. */
interface Unclaimed {
  activationId: string
  accountName: string
  requestId: string
  firstSeenAt: Date
  device: Identifiers
}

/** One whose answer is still to come. */
interface Sent {
  id: string
  accountName: string
  sentAt: Date
}

interface Pair {
  unknown: Unknown
  request: Unclaimed
  isMost: boolean
}

/** Up to 12 hours [DOC] SOAP ChangeDeviceState-Activate; the database's own clock, so none comes before it was sent. */
const callbacksWithin = sql`interval '12 hours'`
/** A program that sends by itself records its request when it has the answer, and callbacks may be faster. */
const unclaimedFor = sql`interval '1 minute'`
/** Of each account: enough to tell one from another. */
const mostRequests = 500
const mostUnknown = 1_000

/**
 * Unknown submissions whose requestId can be told from callbacks that nobody has claimed for a minute: all that these
 * speak of was asked for by this one submission and by no other open one, it is more than half of what was asked for,
 * and no second request speaks of as much. Less might be another program's request for some of the same devices.
 */
export async function findRequestsOfUnknown(db: Kysely<Tables>, isStopping: () => boolean): Promise<Identified[]> {
  // Before the others: one that becomes unknown meanwhile is among these.
  const sent = await findSent(db)
  const pairs: Pair[] = []
  for (const unknown of await findUnknown(db)) {
    for (const request of await findUnclaimed(db, unknown)) {
      if (isStopping()) return []
      const { isAllAskedFor, askedFor } = await compareDevices(db, request.activationId, unknown.standInId)
      if (isAllAskedFor) pairs.push({ unknown, request, isMost: askedFor * 2 > unknown.targets })
    }
  }
  const unknownOf = Map.groupBy(pairs, ({ request }) => request.activationId)
  const requestsOf = Map.groupBy(
    pairs.filter(({ isMost }) => isMost),
    ({ unknown }) => unknown.id,
  )
  const told = [...requestsOf.values()].flatMap(([pair, ...others]) =>
    pair !== undefined && others.length === 0 && unknownOf.get(pair.request.activationId)?.length === 1 ? [pair] : [],
  )
  const disputed = await findDisputed(db, sent, told)
  return told
    .filter(({ request }) => !disputed.has(request))
    .map(({ unknown, request }) => ({ id: unknown.id, requestId: request.requestId }))
}

async function findUnknown(db: Kysely<Tables>): Promise<Unknown[]> {
  const { rows } = await sql<Unknown>`
    select s.id, s.account_name as "accountName", coalesce(s.sent_at, s.intended_at) as "sentAt",
      a.id as "standInId", a.targets
    from submissions s join activations a on a.request_id = s.name and a.account_name = s.account_name
    where s.state = 'unknown' and s.intended_at > clock_timestamp() - interval '24 hours'
    order by s.intended_at desc limit ${mostUnknown}`.execute(db)
  return rows
}

/** One device of each request is enough to rule out nearly all. */
async function findUnclaimed(db: Kysely<Tables>, { accountName, sentAt, standInId }: Unknown): Promise<Unclaimed[]> {
  const { rows } = await sql<Omit<Unclaimed, 'device'> & Identifiers>`
    select a.id as "activationId", a.account_name as "accountName", a.request_id as "requestId",
      a.submitted_at as "firstSeenAt", d.eid, d.iccid, d.imei
    from (
      select * from activations where account_name = ${accountName} and recorded_at is null
        and submitted_at between ${sentAt} and least(${sentAt}::timestamptz + ${callbacksWithin}, clock_timestamp() - ${unclaimedFor})
      order by submitted_at desc limit ${mostRequests}
    ) a
    cross join lateral (select eid, iccid, imei from results where activation_id = a.id limit 1) d
    where exists (select from targets t where t.iccid = d.iccid and t.activation_id + 0 = ${standInId})
      or exists (select from targets t where t.activation_id = ${standInId} and t.eid = d.eid)
      or exists (select from targets t where t.activation_id = ${standInId} and left(t.imei, 14) = left(d.imei, 14))`.execute(
    db,
  )
  return rows.map(({ eid, iccid, imei, ...request }) => ({ ...request, device: { eid, iccid, imei } }))
}

async function findSent(db: Kysely<Tables>): Promise<Sent[]> {
  const { rows } = await sql<Sent>`
    select id, account_name as "accountName", coalesce(sent_at, intended_at) as "sentAt" from submissions
    where state = 'sent' and account_name in (select account_name from submissions where state = 'unknown')`.execute(db)
  return rows
}

/**
 * Requests that may as well be those of a submission whose answer was still to come. There are few of these, and nothing
 * stands in for them yet, so what they ask is read, one at a time.
 */
async function findDisputed(db: Kysely<Tables>, sent: readonly Sent[], told: readonly Pair[]): Promise<Set<Unclaimed>> {
  const disputed = new Set<Unclaimed>()
  for (const { id, accountName, sentAt } of sent) {
    const later = told.filter(({ request }) => request.accountName === accountName && request.firstSeenAt >= sentAt)
    if (later.length === 0) continue
    const { request: asked } = await findSubmission(db, id)
    const targets = targetsAskedFor(asked).map((ids, at) => ({ ...ids, number: at + 1, requested: true }))
    for (const { request } of later) if (matchTarget(targets, request.device) !== null) disputed.add(request)
  }
  return disputed
}
