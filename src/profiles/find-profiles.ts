import { type Kysely, type RawBuilder, sql } from 'kysely'
import { byKey } from '../database/by-key.ts'
import { rowsOf } from '../database/rows.ts'
import type { ProfilesTable, Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import { ofAccounts } from '../operating/of-accounts.ts'
import { type Identifier, type IdentifierKind, imeiBase } from '../thingspace/identifiers.ts'

/** Which profile it is, and what it takes from the activation that last spoke of it. */
export interface Named {
  iccid: string
  account_name: string
  request_id: string
  operation: string
}

export type FoundProfile = Omit<ProfilesTable, 'evidence' | 'credential_digest' | `spoken_${string}`> & Named

/** With something that differs whenever the row was written anew. */
export type Written<Row> = Row & { written: string }

/** What to read of each profile: everything, or only what shows whether it is still the same. */
export interface Shown {
  all: FoundProfile
  version: Named
}

/** With the index of the id that it was found for. */
type Numbered<Row = FoundProfile> = Row & { n: number }

/**
 * For each identifier, all profiles of the device that it names: those that share its EID, without an EID its IMEI,
 * without either the one profile. An identifier that moved from one device to another means the device confirmed last.
 */
export async function findDevices<Columns extends keyof Shown>(
  db: Kysely<Tables>,
  kind: IdentifierKind,
  ids: readonly string[],
  accounts: Accounts,
  columns: Columns,
): Promise<Written<Shown[Columns]>[][]> {
  const shown = columns === 'all' ? sql`d.*` : sql`d.n, d.written, d.iccid, d.account_name`
  const { rows } = await sql<Numbered<Written<Shown[Columns]>>>`
    with wanted as materialized (select * from ${numbered(kind, ids)}), ${devicesOf(kind, accounts)}
    select ${shown}, a.request_id, a.operation from device d ${activationOf('d')}
    order by d.n, d.iccid, d.account_name`.execute(db)
  return byNumber(ids, rows)
}

function devicesOf(kind: IdentifierKind, accounts: Accounts): RawBuilder<unknown> {
  if (kind === 'eid') {
    return sql`device as (
      select w.n, p.* from wanted w ${byKey(sql`${profiles} where p.eid = w.id and ${visible(accounts)}`)} p)`
  }
  return sql`
    named as materialized (
      select w.n, left(p.imei, 14) as digits, ${past} as past, p.* from wanted w cross join lateral (
        ${profiles} where ${carries(kind)} and ${visible(accounts)}
        order by p.confirmed_at desc, p.iccid, p.account_name limit 1
      ) p
    ), device as (
      select n.n, n.digits, n.past, p.* from named n ${byKey(sql`${profiles} where p.eid = n.eid and ${visible(accounts)}`)} p
      union all
      select n.n, n.digits, n.past, p.* from named n ${byKey(sql`
        ${profiles} where p.imei collate "C" >= n.digits and p.imei collate "C" < n.past and p.imei is not null
          and p.eid is null and ${visible(accounts)}`)} p
      where n.eid is null
      union all
      select n.* from named n where n.eid is null and n.imei is null
    )`
}

/**
 * For each ICCID its profile, or none; if several accounts that may be seen have it, the one that confirmed it last.
 */
export async function findProfiles<Columns extends keyof Shown>(
  db: Kysely<Tables>,
  iccids: readonly string[],
  accounts: Accounts,
  columns: Columns,
): Promise<Written<Shown[Columns]>[][]> {
  const { rows } = await sql<Numbered<Written<Shown[Columns]>>>`
    select w.n, ${columns === 'all' ? sql`p.*` : sql`p.written, p.iccid, p.account_name`}, a.request_id, a.operation
    from (select * from ${numbered('iccid', iccids)}) w cross join lateral (
      ${profiles} where p.iccid = w.id and ${visible(accounts)}
      order by p.confirmed_at desc, p.account_name limit 1
    ) p ${activationOf('p')}
    order by w.n`.execute(db)
  return byNumber(iccids, rows)
}

export async function findProfile(db: Kysely<Tables>, iccid: string, accounts: Accounts): Promise<FoundProfile | null> {
  const [found] = await findProfiles(db, [iccid], accounts, 'all')
  return found?.[0] ?? null
}

/** For each identifier, of any kind, every profile that carries it, in one round trip. */
export async function lookUpProfiles(
  db: Kysely<Tables>,
  ids: readonly (Identifier & { kind: IdentifierKind })[],
  accounts: Accounts,
): Promise<FoundProfile[][]> {
  const byKind = Map.groupBy(
    ids.map((id, n) => ({ ...id, n })),
    ({ kind }) => kind,
  )
  const branches = [...byKind].map(([kind, some]) => {
    const wanted = some.map(({ id, n }) => searched(kind, id, n))
    return sql`
      select w.n, p.iccid, p.account_name from (select * from ${rowsOf(wanted, 'n integer, id text, past text')}) w
      ${byKey(sql`select p.iccid, p.account_name from profiles p where ${carries(kind)} and ${visible(accounts)}`)} p`
  })
  const { rows } = await sql<Numbered>`
    with named as materialized (${sql.join(branches, sql` union all `)})
    select n.n, p.*, a.request_id, a.operation
    from named n
    ${byKey(sql`${profiles} where p.iccid = n.iccid and p.account_name = n.account_name`)} p ${activationOf('p')}
    order by n.n, p.iccid, p.account_name`.execute(db)
  return byNumber(ids, rows)
}

/**
 * What is shown of a profile, and no more, since a look-up reads a thousand. `written` names the transaction that wrote
 * the row, and its time: a promoted standby gives the numbers of transactions that were lost once more.
 */
export const profiles = sql`
  select p.xmin || ' ' || p.confirmed_at as written, p.iccid, p.account_name, p.eid, p.imei, p.mdn, p.msisdn, p.state,
    p.profile_status, p.profile_role, p.service_plan, p.address_update, p.credential_callback_id, p.activation_id,
    p.result, p.fault_code, p.fault_message, p.source, p.changed_at, p.confirmed_at, p.version
  from profiles p`

/** Joins `a`, the activation that last spoke of a profile. */
export function activationOf(profile: 'd' | 'p' | 't'): RawBuilder<unknown> {
  const id = sql.ref(`${profile}.activation_id`)
  return sql`${byKey(sql`select a.request_id, a.operation from activations a where a.id = ${id}`)} a`
}

function numbered(kind: IdentifierKind, ids: readonly string[]): RawBuilder<unknown> {
  const rows = ids.map((id, n) => searched(kind, id, n))
  return rowsOf(rows, 'n integer, id text, past text')
}

/**
 * `past` is the first text that sorts after every IMEI of the same device: after 14 digits, a colon sorts behind the
 * digit 9. Fewer digits are the beginning of many IMEIs, and match only themselves.
 */
function searched(kind: IdentifierKind, id: string, n: number): { n: number; id: string; past: string | null } {
  if (kind !== 'imei') return { n, id, past: null }
  const digits = imeiBase(id)
  return { n, id: digits, past: digits.length < 14 ? `${digits}\u0001` : `${digits}:` }
}

/** The same for a stored IMEI. */
const past = sql`left(p.imei, 14) || case when length(p.imei) < 14 then chr(1) else ':' end`

/**
 * That the profile `p` carries the identifier `w.id`. IMEIs are compared as a range, since row-level security lets no
 * index answer a condition with left().
 */
function carries(kind: IdentifierKind): RawBuilder<unknown> {
  if (kind === 'imei') return sql`p.imei collate "C" >= w.id and p.imei collate "C" < w.past and p.imei is not null`
  return sql`${sql.ref(`p.${kind}`)} = w.id`
}

function visible(accounts: Accounts): RawBuilder<unknown> {
  return ofAccounts('p.account_name', accounts)
}

function byNumber<Row>(ids: readonly unknown[], rows: readonly Numbered<Row>[]): Row[][] {
  const found = Map.groupBy(rows, ({ n }) => n)
  return ids.map((_, n) => found.get(n) ?? [])
}
