import { type Kysely, sql } from 'kysely'
import type { ProfilesTable, Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import { ofAccounts } from '../operating/of-accounts.ts'
import { type IdentifierKind, imeiBase } from '../thingspace/identifiers.ts'

/** A profile with the names of the activation that spoke of it last. */
export type FoundProfile = ProfilesTable & { request_id: string; operation: string }

/**
 * All profiles of the device that an identifier names: those that share its EID, without EID its IMEI, without both
 * the one profile. An identifier that moved from one device to another means the one that was confirmed last.
 */
export async function findDevice(
  db: Kysely<Tables>,
  kind: IdentifierKind,
  id: string,
  accounts: Accounts,
): Promise<FoundProfile[]> {
  const visible = ofAccounts('p.account_name', accounts)
  const { rows } = await sql<FoundProfile>`
    with named as (
      select p.*, left(p.imei, 14) as digits, left(p.imei, 14) || ':' as past from profiles p where ${matches(kind, id)} and ${visible} order by p.confirmed_at desc, p.iccid limit 1
    ), device as (
      select p.*, n.digits, n.past from named n join profiles p on p.eid = n.eid where ${visible}
      union all
      select p.*, n.digits, n.past from named n
      join profiles p on p.imei collate "C" >= n.digits and p.imei collate "C" < n.past and p.imei is not null
      where n.eid is null and p.eid is null and ${visible}
      union all
      select n.* from named n where n.eid is null and n.imei is null
    )
    select d.*, a.request_id, a.operation from device d join activations a on a.id = d.activation_id
    order by d.iccid, d.account_name`.execute(db)
  return rows
}

/** One profile; of several accounts that may be seen, the one that confirmed it last. */
export async function findProfile(db: Kysely<Tables>, iccid: string, accounts: Accounts): Promise<FoundProfile | null> {
  const visible = ofAccounts('p.account_name', accounts)
  const { rows } = await sql<FoundProfile>`
    select p.*, a.request_id, a.operation from profiles p join activations a on a.id = p.activation_id
    where p.iccid = ${iccid} and ${visible}
    order by p.confirmed_at desc
    limit 1`.execute(db)
  return rows[0] ?? null
}

function matches(kind: IdentifierKind, id: string) {
  if (kind === 'imei') return imeiBeginsWith(imeiBase(id))
  return sql`${sql.ref(`p.${kind}`)} = ${id}`
}

/** As a range, for left() is no condition that row-level security lets an index answer. A colon follows the digit 9. */
function imeiBeginsWith(digits: string) {
  return sql`p.imei collate "C" >= ${digits} and p.imei collate "C" < ${`${digits}:`} and p.imei is not null`
}
