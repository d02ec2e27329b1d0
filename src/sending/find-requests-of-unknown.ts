import { type Kysely, sql } from 'kysely'
import { targetsAskedFor } from '../activations/activation-request.ts'
import { matchTarget } from '../activations/match-target.ts'
import type { Tables } from '../database/tables.ts'
import type { Identifiers } from '../thingspace/read-callback.ts'
import { type Submission, submissionOf } from './submission.ts'

export interface Identified {
  submission: Submission
  requestId: string
}

/** A request that nobody recorded, and whom its callbacks speak of. */
interface Unclaimed {
  accountName: string
  requestId: string
  firstSeenAt: Date
  devices: Identifiers[]
}

/** Up to 12 hours [DOC] SOAP ChangeDeviceState-Activate; the database's own clock, so none comes before it was sent. */
const callbacksWithinMs = 12 * 3_600_000
/** Of each request and account: enough to tell one from another. */
const mostDevices = 50
const mostRequests = 500

/**
 * Unknown submissions whose requestId can be told from callbacks that nobody claimed: all that these speak of was asked
 * for by this one submission and by no other open one, and no second request speaks of the same.
 */
export async function findRequestsOfUnknown(db: Kysely<Tables>): Promise<Identified[]> {
  const unclaimed = await findUnclaimed(db)
  if (unclaimed.length === 0) return []
  // After the callbacks: whatever they may belong to was committed before it left, so it is seen now.
  const open = await findOpen(db)
  const pairs = unclaimed.flatMap(request => {
    const matches = open.filter(submission => couldBe(submission, request))
    const [only] = matches
    return only !== undefined && matches.length === 1 ? [{ ...only, requestId: request.requestId }] : []
  })
  const requestsOf = Map.groupBy(pairs, ({ submission }) => submission.id)
  return pairs.filter(({ submission }) => submission.state === 'unknown' && requestsOf.get(submission.id)?.length === 1)
}

interface Open {
  submission: Submission
  asked: (Identifiers & { number: number; requested: boolean })[]
}

function couldBe({ submission, asked }: Open, request: Unclaimed): boolean {
  const waited = request.firstSeenAt.getTime() - (submission.sentAt ?? submission.intendedAt).getTime()
  return (
    submission.accountName === request.accountName &&
    waited >= 0 &&
    waited <= callbacksWithinMs &&
    request.devices.every(device => matchTarget(asked, device) !== null)
  )
}

async function findUnclaimed(db: Kysely<Tables>): Promise<Unclaimed[]> {
  const { rows } = await sql<Unclaimed>`
    select a.account_name as "accountName", a.request_id as "requestId", a.submitted_at as "firstSeenAt",
      (select json_agg(named) from (
        select distinct eid, iccid, imei from results where activation_id = a.id limit ${mostDevices}
      ) named) as devices
    from (select distinct account_name from submissions where state = 'unknown') s
    cross join lateral (
      select * from activations a where a.account_name = s.account_name and a.recorded_at is null
        and a.submitted_at > clock_timestamp() - interval '24 hours'
      order by a.submitted_at desc limit ${mostRequests}
    ) a`.execute(db)
  return rows.filter(({ devices }) => devices !== null)
}

async function findOpen(db: Kysely<Tables>): Promise<Open[]> {
  const { rows } = await sql<Parameters<typeof submissionOf>[0]>`
    select * from submissions where state in ('intended', 'sent', 'unknown')
      and account_name in (select account_name from submissions where state = 'unknown')
      and intended_at > clock_timestamp() - interval '24 hours'`.execute(db)
  return rows.map(submissionOf).map(submission => ({
    submission,
    asked: targetsAskedFor(submission.request).map((ids, at) => ({ ...ids, number: at + 1, requested: true })),
  }))
}
