import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import { ofAccounts } from '../operating/of-accounts.ts'
import { type ChangeRow, changeColumns, type Place } from './change-view.ts'

export interface ChangeFilter {
  accountName?: string | undefined
  iccid?: string | undefined
  requestId?: string | undefined
}

export interface FoundChanges {
  rows: ChangeRow[]
  /**
   * Everything up to here has been looked at: the last row, or the end of the feed when fewer than the limit were
   * found.
   */
  upTo: bigint
  /** The last change that was ever deleted. Up to here, only the last change of each profile is left. */
  deletedTo: bigint
  /** It was to begin behind the end: what it had come to is no longer there, since an older state was restored. */
  isBehindEnd: boolean
}

export function placeAfter({ upTo, deletedTo }: FoundChanges): Place {
  return { id: upTo, thinned: upTo < deletedTo }
}

/**
 * Changes after an id, in the order of the feed. No later commit can slip in before what is found here. Those of many
 * accounts are found in a few steps, each a little further into the feed.
 */
export async function findChanges(
  db: Kysely<Tables>,
  after: bigint,
  filter: ChangeFilter,
  accounts: Accounts,
  limit: number,
): Promise<FoundChanges> {
  const rows: ChangeRow[] = []
  for (let upTo = after, times = 4; ; times *= 8) {
    const part = await findPart(db, upTo, filter, accounts, limit - rows.length, times)
    rows.push(...part.rows)
    const { upTo: lookedAt, deletedTo, isBehindEnd } = part
    if (!part.more || rows.length === limit) return { rows, upTo: lookedAt, deletedTo, isBehindEnd }
    upTo = lookedAt
  }
}

/** `more`: fewer than the limit were found, but there may be others behind them. */
async function findPart(
  db: Kysely<Tables>,
  after: bigint,
  filter: ChangeFilter,
  accounts: Accounts,
  limit: number,
  times: number,
): Promise<FoundChanges & { more: boolean }> {
  // One statement, one snapshot: otherwise the end of the feed could lie past a change that the search could not see
  // yet.
  const { rows } = await sql<ChangeRow & { more: boolean; head: string; deletedTo: string; mayLag: boolean }>`
    with head as (select feed_head() as head, feed_deleted_to() as "deletedTo", pg_is_in_recovery() as "mayLag")
    select c.*, head.* from head left join lateral (
      select ${changeColumns}, more from (${candidates(after, filter, accounts, limit, times)}) changes
      order by id limit ${limit}
    ) c on true
    order by c.id`.execute(db)
  const found = rows.filter(row => row.id !== null)
  const last = found.at(-1)
  const more = last?.more === true
  const deletedTo = BigInt(rows[0]?.deletedTo ?? 0)
  const end = maximum(BigInt(rows[0]?.head ?? 0), deletedTo)
  // A standby may not have it yet.
  const isBehindEnd = after > end && rows[0]?.mayLag === false
  const lookedAt = isBehindEnd ? end : maximum(end, after)
  const isPart = last !== undefined && (more || found.length === limit)
  return { rows: found, upTo: isPart ? BigInt(last.id) : lookedAt, deletedTo, isBehindEnd, more }
}

/** All that may be among the first ones, read by the index of the rarest value, so that no unrelated change is read. */
function candidates(
  after: bigint,
  { accountName, iccid, requestId }: ChangeFilter,
  accounts: Accounts,
  limit: number,
  times: number,
): RawBuilder<unknown> {
  const visible = accounts === '*' || accountName === undefined || accounts.includes(accountName)
  const names = accountName === undefined ? accounts : visible ? [accountName] : []
  if (iccid !== undefined) {
    const ofRequest = requestId === undefined ? sql`true` : sql`request_id = ${requestId}`
    return following('iccid', sql`${iccid}`, after, limit, sql`${ofAccounts('account_name', names)} and ${ofRequest}`)
  }
  if (requestId !== undefined) {
    return following('request_id', sql`${requestId}`, after, limit, ofAccounts('account_name', names))
  }
  if (names === '*') {
    return sql`select *, false as more from changes where id > ${String(after)} order by id limit ${limit}`
  }
  return ofEach(names, after, limit, times)
}

const fewest = 4

/**
 * A few changes of each account, some times as many in all as are wanted. Where one has more of them than that, nothing
 * is certain past the last one read of it: so a page costs as much as its changes and its accounts, and not as much as
 * full pages of all of them.
 */
function ofEach(names: readonly string[], after: bigint, limit: number, times: number): RawBuilder<unknown> {
  const share = Math.min(limit, Math.max(fewest, Math.ceil((times * limit) / names.length)))
  return sql`
    with read as materialized (
      select f.*, row_number() over (partition by f.account_name order by f.id) as number
      from (select distinct unnest(${names}::text[])) n (name)
      cross join lateral (${following('account_name', sql`n.name`, after, share, sql`true`)}) f
    ), sure as (
      select min(id) as to_id from read where number = ${share}
    )
    select ${changeColumns}, to_id is not null as more from read, sure where to_id is null or id <= to_id`
}

/**
 * The changes after an id that have this value in a column, by the index on (column, id). Written as a range: with
 * `column = value`, a plan made once for all values might walk through everybody's changes.
 */
function following(
  column: 'account_name' | 'iccid' | 'request_id',
  value: RawBuilder<unknown>,
  after: bigint,
  limit: number,
  others: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const name = sql.ref(column)
  return sql`
    select *, false as more from changes
    where (${name}, id) > (${value}::text, ${String(after)}::bigint) and ${name} <= ${value}::text and ${others}
    order by ${name}, id limit ${limit}`
}

/** Whether a change is one of those that the filter and the accounts let through. */
export function lets(filter: ChangeFilter, accounts: Accounts, change: ChangeRow): boolean {
  return (
    (filter.accountName === undefined || filter.accountName === change.account_name) &&
    (filter.iccid === undefined || filter.iccid === change.iccid) &&
    (filter.requestId === undefined || filter.requestId === change.request_id) &&
    (accounts === '*' || setOf(accounts).has(change.account_name))
  )
}

/** Every waiting reader looks at every change: with hundreds of accounts each, comparing one by one held up receiving. */
const sets = new WeakMap<readonly string[], ReadonlySet<string>>()

function setOf(accounts: readonly string[]): ReadonlySet<string> {
  const set = sets.get(accounts) ?? new Set(accounts)
  sets.set(accounts, set)
  return set
}

function maximum(one: bigint, other: bigint): bigint {
  return one > other ? one : other
}
