import { type Kysely, sql } from 'kysely'
import { lockActivations, type RequestName } from '../correlation/lock-activations.ts'
import { saveWorkingSet } from '../correlation/save-working-set.ts'
import { oneByOne } from '../database/one-by-one.ts'
import type { Database } from '../database/pool.ts'
import type { Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'

const atOnce = 50

/**
 * Marks activations that are past their deadline while targets still lack a final result, and marks those targets: one
 * change each in the feed, caused by the clock. Returns how many; the next call continues where this one ended.
 */
export async function markOverdue(db: Database, isStopping: () => boolean): Promise<number> {
  const { rows } = await sql<RequestName>`
    select account_name as "accountName", request_id as "requestId" from activations
    where recorded_at is not null and settled_at is null and not overdue and expected_by < now()
    order by expected_by limit ${atOnce}`.execute(db)
  await oneByOne(rows, name => inTransaction(db, trx => markOne(trx, name)), isStopping)
  return rows.length
}

async function markOne(db: Kysely<Tables>, name: RequestName): Promise<void> {
  const { now, activations } = await lockActivations(db, [name])
  const [activation] = activations
  if (activation === undefined || activation.overdue || activation.settledAt !== null) return
  if (activation.expectedBy === null || activation.expectedBy > now) return
  await sql`
    update targets set overdue = true where activation_id = ${activation.id} and settled_at is null`.execute(db)
  // An unknown one has no requestId that the carrier could be asked about.
  if (activation.status !== 'unknown') await askAbout(db, activation.id, now)
  Object.assign(activation, { overdue: true, touched: true })
  await saveWorkingSet(db, {
    now,
    activations: new Map([[activation.id, activation]]),
    targets: new Map(),
    profiles: new Map(),
    changes: [
      {
        at: now,
        kind: 'activation',
        accountName: activation.accountName,
        requestId: activation.requestId,
        iccid: null,
        eid: null,
        was: { overdue: false },
        becomes: { overdue: true },
        callbackId: null,
        source: 'clock',
        profile: null,
      },
    ],
  })
}

/** Starts over if it was asked about before: a callback that contradicts a settled result has reopened the question. */
async function askAbout(db: Kysely<Tables>, activationId: string, now: Date): Promise<void> {
  await sql`
    insert into polls (activation_id, next_poll_at) values (${activationId}, ${now})
    on conflict (activation_id) do update
      set next_poll_at = excluded.next_poll_at, polls = 0, stopped_at = null, stopped_because = null`.execute(db)
}
