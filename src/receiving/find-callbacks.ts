import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { Accounts } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { type Found, findPage, type PageRequest } from '../operating/page.ts'

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
    order: ['c.id'],
    descending: true,
    keyOf: row => [row.id],
    find: async (condition, order, limit) => {
      const { rows } = await sql<FoundCallback>`
        ${shown(sql`where ${matching(filter, accounts)} and ${condition} order by ${order} limit ${limit}`)}`.execute(
        db,
      )
      return rows
    },
  })
}

/** One callback that these accounts may see, or null. */
export async function findCallback(db: Kysely<Tables>, id: string, accounts: Accounts): Promise<FoundCallback | null> {
  const { rows } = await sql<FoundCallback>`
    ${shown(sql`where c.id = ${id} and ${visible(accounts)}`)}`.execute(db)
  return rows[0] ?? null
}

/** The filter as a condition on `callbacks c`. */
export function matching(filter: CallbackFilter, accounts: Accounts): RawBuilder<unknown> {
  const { verdict, accountName, serviceName, requestId, receivedAfter } = filter
  const conditions = [
    visible(accounts),
    verdict === undefined ? null : sql`c.verdict = ${verdict}`,
    accountName === undefined ? null : sql`c.account_name = ${accountName}`,
    serviceName === undefined ? null : sql`c.service_name = ${serviceName}`,
    requestId === undefined
      ? null
      : sql`c.activation_id in (select id from activations where request_id = ${requestId})`,
    receivedAfter === undefined ? null : sql`c.received_at > ${new Date(receivedAfter)}`,
  ]
  return sql.join(
    conditions.filter(condition => condition !== null),
    sql` and `,
  )
}

function visible(accounts: Accounts): RawBuilder<unknown> {
  return accounts === '*' ? sql`true` : sql`c.account_name = any(${accounts})`
}

function shown(selection: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select c.id, c.account_name, c.service_name, a.request_id, c.verdict, c.reason, c.received_at, c.last_seen_at,
      c.times_seen, c.highest_callback_count, s.result, s.fault_code, s.fault_message, c.body
    from callbacks c
    left join activations a on a.id = c.activation_id
    left join lateral (
      select result, fault_code, fault_message from results where source_id = c.id order by ordinal limit 1
    ) s on true
    ${selection}`
}
