import { type Kysely, type RawBuilder, sql } from 'kysely'
import { byKey } from '../database/by-key.ts'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import type { CursorKey, Cursors } from '../operating/cursor.ts'
import { findInGroups } from '../operating/grouped-list.ts'
import { countedOf, ofAccounts } from '../operating/of-accounts.ts'
import { beyond, type Found, findPage, orderBy, type PageRequest, type Part } from '../operating/page.ts'
import { readTime } from '../operating/read-time.ts'

export interface FoundCallback {
  id: string
  account_name: string
  service_name: string
  request_id: string | null
  verdict: string
  reason: string | null
  received_at: Date
  last_seen_at: Date
  times_seen: number
  highest_callback_count: number | null
  result: string | null
  fault_code: string | null
  fault_message: string | null
  body: string | null
}

export interface CallbackFilter {
  verdict?: string | undefined
  accountName?: string | undefined
  serviceName?: string | undefined
  requestId?: string | undefined
  receivedAfter?: string | undefined
}

/** Callbacks that these accounts may see, newest first. */
export function findCallbacks(
  db: Kysely<Tables>,
  cursors: Cursors,
  filter: CallbackFilter,
  accounts: Accounts,
  page: PageRequest,
): Promise<Found<FoundCallback>> {
  return findPage<FoundCallback>(cursors, page, {
    listOf: ['callbacks', filter, accounts],
    order,
    descending: true,
    keyOf,
    find: (_condition, _order, limit, part) =>
      findPart(db, filter, accounts, sql`${shown}, t.more from found t ${joined}`, limit, part),
  })
}

/** Those after a key, oldest first: for going through all of them, even while their verdicts change. */
export function walkCallbacks(
  db: Kysely<Tables>,
  filter: CallbackFilter,
  accounts: Accounts,
  behind: CursorKey | null,
  limit: number,
): Promise<WalkedCallback[]> {
  const show = sql`select c.id, c.verdict, c.reason, c.received_at, t.more from found t ${itself} c`
  return findPart(db, filter, accounts, show, limit, { order, ascending: true, behind })
}

export type WalkedCallback = Pick<FoundCallback, 'id' | 'verdict' | 'reason' | 'received_at'>

const order = ['t.received_at', 't.id']

export function keyOf(row: Pick<FoundCallback, 'id' | 'received_at'>): CursorKey {
  return [row.received_at.toISOString(), row.id]
}

/** A requestId names few callbacks, which have an index of their own; any other filter names groups. */
async function findPart<Row extends WalkedCallback>(
  db: Kysely<Tables>,
  filter: CallbackFilter,
  accounts: Accounts,
  show: RawBuilder<unknown>,
  limit: number,
  part: Part,
): Promise<Row[]> {
  const { requestId, receivedAfter } = filter
  const since =
    receivedAfter === undefined ? sql`true` : sql`t.received_at > ${readTime('receivedAfter', receivedAfter)}`
  const matching = matchingGroup(filter, accounts)
  if (requestId === undefined) {
    const groups = sql`select group_id from callback_counts where ${matching} group by 1 having sum(callbacks) > 0`
    return findInGroups<Row>(db, { table: 'callbacks', groups, where: since, keyOf, show }, limit, part)
  }
  const { rows } = await sql<Row>`
    with found as materialized (
      select t.received_at, t.id, false as more from callbacks t
      where activation_id = any(array(select a.id from activations a where a.request_id = ${requestId}))
        and ${matching} and ${since} and ${beyond(part)}
      order by ${orderBy(part)} limit ${limit}
    )
    ${show} order by ${orderBy(part)}`.execute(db)
  return rows
}

/** One callback that these accounts may see, or null. */
export async function findCallback(db: Kysely<Tables>, id: string, accounts: Accounts): Promise<FoundCallback | null> {
  const { rows } = await sql<FoundCallback>`
    ${shown} from (select ${id}::uuid as id) t ${joined}
    where ${ofAccounts('c.account_name', accounts)}`.execute(db)
  return rows[0] ?? null
}

/** Conditions on columns that both callbacks and their counts have. */
function matchingGroup({ verdict, accountName, serviceName }: CallbackFilter, accounts: Accounts): RawBuilder<unknown> {
  const conditions = [
    countedOf(accounts),
    verdict === undefined ? null : sql`verdict = ${verdict}`,
    accountName === undefined ? null : sql`account_name = ${accountName}`,
    serviceName === undefined ? null : sql`service_name = ${serviceName}`,
  ]
  return sql.join(
    conditions.filter(condition => condition !== null),
    sql` and `,
  )
}

const shown = sql`
  select c.id, c.account_name, c.service_name, a.request_id, c.verdict, c.reason, c.received_at, c.last_seen_at,
    c.times_seen, c.highest_callback_count, s.result, s.fault_code, s.fault_message, c.body`

const itself = byKey(sql`select * from callbacks c where c.id = t.id`)

const joined = sql`
  ${itself} c
  left join activations a on a.id = c.activation_id
  left join lateral (
    select result, fault_code, fault_message from results where source_id = c.id order by ordinal limit 1
  ) s on true`
