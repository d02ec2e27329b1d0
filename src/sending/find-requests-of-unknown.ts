import { type Kysely, type RawBuilder, sql } from 'kysely'
import { targetsAskedFor } from '../activations/activation-request.ts'
import { matchTarget } from '../activations/match-target.ts'
import type { Tables } from '../database/tables.ts'
import type { Identifiers } from '../thingspace/report.ts'
import { compareDevices } from './compare-devices.ts'
import { findSubmission } from './submission.ts'

export interface Identified {
  /** Id of the submission. */
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

/** A request that nobody recorded, and one of the devices that its callbacks mention. */
interface Unclaimed {
  activationId: string
  accountName: string
  requestId: string
  firstSeenAt: Date
  device: Identifiers
}

/** A submission whose answer is still to come. */
interface Sent {
  id: string
  accountName: string
  sentAt: Date
}

interface Pair {
  unknown: Unknown
  request: Unclaimed
}

/**
 * Up to 12 hours [DOC] SOAP ChangeDeviceState-Activate. By the database's own clock, so none comes before it was sent.
 */
const callbacksWithin = sql`interval '12 hours'`
/** A program that sends requests itself records them once it has the answer, and callbacks may be faster. */
const unclaimedFor = sql`interval '1 minute'`
/** Per account: enough to tell one from another. */
const mostRequests = 500
/** In one run; if there are more, any of them. */
const mostUnknown = 200

/**
 * Unknown submissions whose requestId follows from callbacks that nobody has claimed for a minute: everything these
 * mention was asked for by this one submission and by no other open one, it is more than half of what was asked for,
 * and no second request's callbacks mention as much. Less might be another program's request for some of the same
 * devices.
 */
export async function findRequestsOfUnknown(db: Kysely<Tables>, isStopping: () => boolean): Promise<Identified[]> {
  // Read before the others: one that becomes unknown meanwhile is then among these.
  const sent = await findSent(db)
  const identified: Identified[] = []
  for (const unknown of await findUnknown(db)) {
    if (isStopping()) break
    const [request, ...others] = await findSpeakers(db, unknown)
    if (request === undefined || others.length > 0) continue
    if (await isDisputed(db, { unknown, request }, sent)) continue
    identified.push({ id: unknown.id, requestId: request.requestId })
  }
  return identified
}

/** The requests whose callbacks mention most of what it asked for, and nothing else. */
async function findSpeakers(db: Kysely<Tables>, unknown: Unknown): Promise<Unclaimed[]> {
  const speakers: Unclaimed[] = []
  for (const request of await findUnclaimed(db, unknown)) {
    const { isAllAskedFor, askedFor } = await compareDevices(db, request.activationId, unknown.standInId)
    if (isAllAskedFor && askedFor * 2 > unknown.targets) speakers.push(request)
  }
  return speakers
}

async function findSent(db: Kysely<Tables>): Promise<Sent[]> {
  const { rows } = await sql<Sent>`
    select id, account_name as "accountName", coalesce(sent_at, intended_at) as "sentAt" from submissions
    where state = 'sent' and account_name in (select account_name from submissions where state = 'unknown')`.execute(db)
  return rows
}

const sentAt = sql`coalesce(s.sent_at, s.intended_at)`

/** All that are unknown, and their names; to be narrowed down by the caller. */
const unknownOnes = sql`
  submissions s join activations a on a.request_id = s.name and a.account_name = s.account_name
  where s.state = 'unknown' and s.intended_at > clock_timestamp() - interval '24 hours'`

/** Those to which any unclaimed callbacks may belong. */
async function findUnknown(db: Kysely<Tables>): Promise<Unknown[]> {
  const { rows } = await sql<Unknown>`
    select s.id, s.account_name as "accountName", ${sentAt} as "sentAt", a.id as "standInId", a.targets
    from ${unknownOnes} and exists (
      select from activations u where u.account_name = s.account_name and u.recorded_at is null
        and u.submitted_at between ${sentAt} and ${lastFirstSeen(sentAt)})
    order by random() limit ${mostUnknown}`.execute(db)
  return rows
}

/** One device of each request is enough to rule out nearly all. */
async function findUnclaimed(db: Kysely<Tables>, { accountName, sentAt, standInId }: Unknown): Promise<Unclaimed[]> {
  const { rows } = await sql<Omit<Unclaimed, 'device'> & Identifiers>`
    select u.id as "activationId", u.account_name as "accountName", u.request_id as "requestId",
      u.submitted_at as "firstSeenAt", d.eid, d.iccid, d.imei
    from (
      select * from activations where account_name = ${accountName} and recorded_at is null
        and submitted_at between ${sentAt} and ${lastFirstSeen(sql`${sentAt}::timestamptz`)}
      order by submitted_at desc limit ${mostRequests}
    ) u
    cross join lateral (select eid, iccid, imei from results where activation_id = u.id limit 1) d
    where ${isAskedFor(sql`${standInId}::bigint`)}`.execute(db)
  return rows.map(({ eid, iccid, imei, ...request }) => ({ ...request, device: { eid, iccid, imei } }))
}

function lastFirstSeen(sentAt: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`least(${sentAt} + ${callbacksWithin}, clock_timestamp() - ${unclaimedFor})`
}

/** Whether the device d may be a target of this activation. */
function isAskedFor(activationId: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(
    exists (select from targets t where t.iccid = d.iccid and t.activation_id + 0 = ${activationId})
    or exists (select from targets t where t.eid = d.eid and t.activation_id + 0 = ${activationId})
    or exists (select from targets t where left(t.imei, 14) = left(d.imei, 14) and t.activation_id + 0 = ${activationId}))`
}

/** Whether the request may just as well be that of another submission, also unknown or still waiting for its answer. */
async function isDisputed(db: Kysely<Tables>, { unknown, request }: Pair, sent: readonly Sent[]): Promise<boolean> {
  const { eid, iccid, imei } = request.device
  const { rows } = await sql<{ standInId: string }>`
    select n.id as "standInId" from (
      select a.id from ${unknownOnes} and s.account_name = ${request.accountName} and s.id <> ${unknown.id}
        and ${sentAt} <= ${request.firstSeenAt}
    ) n, (select ${eid}::text as eid, ${iccid}::text as iccid, ${imei}::text as imei) d
    where ${isAskedFor(sql`n.id`)}`.execute(db)
  for (const { standInId } of rows) {
    if ((await compareDevices(db, request.activationId, standInId)).isAllAskedFor) return true
  }
  // Nothing stands in for these yet, so what they ask for is read, one at a time; there are few.
  for (const { id, accountName, sentAt } of sent) {
    if (accountName !== request.accountName || sentAt > request.firstSeenAt) continue
    const asked = targetsAskedFor((await findSubmission(db, id)).request)
    const targets = asked.map((ids, at) => ({ ...ids, number: at + 1, requested: true }))
    if (matchTarget(targets, request.device) !== null) return true
  }
  return false
}
