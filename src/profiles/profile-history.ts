import { type Kysely, sql } from 'kysely'
import { faultOf, resultOf, sourceOf } from '../activations/result.ts'
import type { ChangeRow } from '../changes/change-view.ts'
import type { ProfileSnapshot } from '../correlation/working-set.ts'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { type Found, findPage, type PageRequest } from '../operating/page.ts'
import type { FoundProfile } from './find-profiles.ts'

/** Every change of one profile, newest first. */
export function findHistory(
  db: Kysely<Tables>,
  cursors: Cursors,
  { iccid, accountName }: { iccid: string; accountName: string },
  page: PageRequest,
): Promise<Found<ChangeRow>> {
  return findPage<ChangeRow>(cursors, page, {
    listOf: ['history', iccid, accountName],
    order: ['id'],
    descending: true,
    keyOf: row => [row.id],
    find: async (condition, order, limit) => {
      const { rows } = await sql<ChangeRow>`
        select * from changes
        where iccid = ${iccid} and account_name = ${accountName} and kind = 'profile' and ${condition}
        order by ${order} limit ${limit}`.execute(db)
      return rows
    },
  })
}

/** The profile as it was known at a time; null before it was known. */
export async function findProfileAsOf(
  db: Kysely<Tables>,
  iccid: string,
  asOf: Date,
  accounts: Accounts,
): Promise<FoundProfile | null> {
  const visible = accounts === '*' ? sql`true` : sql`c.account_name = any(${accounts})`
  const { rows } = await sql<{
    account_name: string
    snapshot: ProfileSnapshot
    request_id: string
    operation: string
  }>`
    with "then" as materialized (
      select c.account_name, c.profile as snapshot, (c.profile #>> '{profile,activationId}')::bigint as activation_id
      from changes c
      where c.iccid = ${iccid} and c.kind = 'profile' and c.at <= ${asOf} and ${visible}
      order by c.id desc limit 1
    )
    select t.account_name, t.snapshot, a.request_id, a.operation from "then" t join activations a on a.id = t.activation_id`.execute(
    db,
  )
  const [row] = rows
  return row === undefined ? null : restore(iccid, row)
}

function restore(
  iccid: string,
  row: { account_name: string; snapshot: ProfileSnapshot; request_id: string; operation: string },
): FoundProfile {
  const { profile, changedAt, confirmedAt, version } = row.snapshot
  const { lastWord, evidence } = profile
  return {
    iccid,
    account_name: row.account_name,
    eid: profile.eid,
    imei: profile.imei,
    mdn: profile.mdn,
    msisdn: profile.msisdn,
    state: profile.state,
    profile_status: profile.profileStatus,
    profile_role: profile.profileRole,
    service_plan: profile.servicePlan,
    address_update: profile.addressUpdate,
    credential_callback_id: profile.credentialCallbackId,
    activation_id: profile.activationId,
    evidence,
    result: resultOf(evidence),
    fault_code: faultOf(evidence).code,
    fault_message: faultOf(evidence).message,
    source: sourceOf(evidence) ?? 'callback',
    spoken_submitted_at: new Date(lastWord.submittedAt),
    spoken_final: lastWord.final,
    spoken_at: new Date(lastWord.at),
    spoken_by: lastWord.sourceId,
    changed_at: new Date(changedAt),
    confirmed_at: new Date(confirmedAt),
    version,
    request_id: row.request_id,
    operation: row.operation,
  }
}
