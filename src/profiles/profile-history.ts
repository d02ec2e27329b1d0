import { type Kysely, sql } from 'kysely'
import { type ChangeRow, changeColumns } from '../changes/change-view.ts'
import type { ProfileSnapshot } from '../correlation/working-set.ts'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { ofAccounts } from '../operating/of-accounts.ts'
import { type Found, findPage, type PageRequest } from '../operating/page.ts'
import { activationOf, type FoundProfile } from './find-profiles.ts'

/**
 * Every change of one profile, newest first. A profile that moved between accounts has one history: each change names
 * its account.
 */
export function findHistory(
  db: Kysely<Tables>,
  cursors: Cursors,
  iccid: string,
  accounts: Accounts,
  page: PageRequest,
): Promise<Found<ChangeRow>> {
  return findPage<ChangeRow>(cursors, page, {
    listOf: ['history', iccid, accounts],
    order: ['id'],
    descending: true,
    keyOf: row => [row.id],
    find: async (condition, order, limit) => {
      const { rows } = await sql<ChangeRow>`
        select ${changeColumns} from changes
        where iccid = ${iccid} and ${ofAccounts('account_name', accounts)} and kind = 'profile' and ${condition}
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
  const visible = ofAccounts('c.account_name', accounts)
  const { rows } = await sql<{
    account_name: string
    eid: string | null
    snapshot: ProfileSnapshot
    request_id: string
    operation: string
  }>`
    with "then" as materialized (
      select c.account_name, c.eid, c.profile as snapshot, (c.profile #>> '{activationId}')::bigint as activation_id
      from changes c
      where c.iccid = ${iccid} and c.kind = 'profile' and c.at <= ${asOf} and ${visible}
      order by c.id desc limit 1
    )
    select t.account_name, t.eid, t.snapshot, a.request_id, a.operation
    from "then" t ${activationOf('t')}`.execute(db)
  const [row] = rows
  return row === undefined ? null : restore(iccid, row)
}

function restore(
  iccid: string,
  row: { account_name: string; eid: string | null; snapshot: ProfileSnapshot; request_id: string; operation: string },
): FoundProfile {
  const { snapshot } = row
  return {
    iccid,
    account_name: row.account_name,
    eid: row.eid,
    imei: snapshot.imei,
    mdn: snapshot.mdn,
    msisdn: snapshot.msisdn,
    state: snapshot.state,
    profile_status: snapshot.profileStatus,
    profile_role: snapshot.profileRole,
    service_plan: snapshot.servicePlan,
    address_update: snapshot.addressUpdate,
    credential_callback_id: snapshot.credentialCallbackId,
    activation_id: snapshot.activationId,
    result: snapshot.result,
    fault_code: snapshot.faultCode,
    fault_message: snapshot.faultMessage,
    source: snapshot.source,
    changed_at: new Date(snapshot.changedAt),
    confirmed_at: new Date(snapshot.confirmedAt),
    version: snapshot.version,
    request_id: row.request_id,
    operation: row.operation,
  }
}
