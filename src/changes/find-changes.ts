import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import { type ChangeRow, changeColumns } from './change-view.ts'

export interface ChangeFilter {
  accountName?: string | undefined
  iccid?: string | undefined
  requestId?: string | undefined
}

export interface FoundChanges {
  rows: ChangeRow[]
  /** Everything up to here was looked at: the last row, or the end of the feed when fewer than the limit were found. */
  upTo: bigint
}

/** Changes after an id, in the order of the feed. No later commit can slip in front of what is found here. */
export async function findChanges(
  db: Kysely<Tables>,
  after: bigint,
  filter: ChangeFilter,
  accounts: Accounts,
  limit: number,
): Promise<FoundChanges> {
  const { accountName, iccid, requestId } = filter
  // One statement, one snapshot: else the end of the feed could be past a change that was not yet visible to the search.
  const { rows } = await sql<ChangeRow & { head: string }>`
    with head as (select feed_head() as head)
    select c.*, head.head from head left join lateral (
      select ${changeColumns} from changes
      where id > ${String(after)}
        and ${accounts === '*' ? sql`true` : sql`account_name = any(${accounts})`}
        and ${accountName === undefined ? sql`true` : sql`account_name = ${accountName}`}
        and ${iccid === undefined ? sql`true` : sql`iccid = ${iccid}`}
        and ${requestId === undefined ? sql`true` : sql`request_id = ${requestId}`}
      order by id limit ${limit}
    ) c on true
    order by c.id`.execute(db)
  const found = rows.filter(row => row.id !== null)
  const last = found.at(-1)
  const head = BigInt(rows[0]?.head ?? 0)
  return { rows: found, upTo: last !== undefined && found.length === limit ? BigInt(last.id) : maximum(head, after) }
}

/** Whether a change is one of those that the filter and the accounts let through. */
export function lets(filter: ChangeFilter, accounts: Accounts, change: ChangeRow): boolean {
  return (
    (accounts === '*' || accounts.includes(change.account_name)) &&
    (filter.accountName === undefined || filter.accountName === change.account_name) &&
    (filter.iccid === undefined || filter.iccid === change.iccid) &&
    (filter.requestId === undefined || filter.requestId === change.request_id)
  )
}

function maximum(one: bigint, other: bigint): bigint {
  return one > other ? one : other
}
