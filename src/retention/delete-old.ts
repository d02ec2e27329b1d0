import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '../database/pool.ts'
import type { Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import type { Retention } from './keep.ts'

const atOnce = 500
const beginAnewAfter = '7 days'

/** A table whose rows are visited in the order of their keys, which is the order in which they came. */
interface Aging {
  name: string
  first: string
  /** The next keys after one, oldest first, and whether each is old. */
  next: (after: string, before: Date) => RawBuilder<{ key: string; old: boolean }>
  /** Deletes those of them that may be deleted. */
  remove: (keys: readonly string[], before: Date) => RawBuilder<unknown>
}

/**
 * Deletes what is older than its retention, one batch per transaction, so that nobody has to wait: rows that somebody
 * holds are left for another time. Returns how many rows were deleted.
 */
export async function deleteOld(db: Database, keep: Retention, isStopping: () => boolean): Promise<number> {
  let deleted = 0
  for (const [aging, milliseconds] of [
    [callbacks, keep.callbacks],
    [taken, keep.callbacks],
    [changes, keep.history],
  ] as const) {
    if (milliseconds === null) continue
    for (;;) {
      if (isStopping()) return deleted
      const batch = await inTransaction(db, trx => deleteBatch(trx, aging, milliseconds))
      deleted += batch.deleted
      if (batch.last) break
    }
  }
  return deleted
}

async function deleteBatch(db: Kysely<Tables>, aging: Aging, milliseconds: number) {
  const { rows } = await sql<{ doneTo: string | null; before: Date }>`
    insert into retention as r (name) values (${aging.name})
    on conflict (name) do update set
      done_to = case when r.began_at < clock_timestamp() - ${beginAnewAfter}::interval then null else r.done_to end,
      began_at = case when r.began_at < clock_timestamp() - ${beginAnewAfter}::interval then clock_timestamp()
        else r.began_at end
    returning done_to as "doneTo",
      (clock_timestamp() - ${milliseconds} * interval '1 millisecond')::timestamptz(3) as before`.execute(db)
  const { doneTo = null, before = new Date(0) } = rows[0] ?? {}
  const { rows: next } = await aging.next(doneTo ?? aging.first, before).execute(db)
  // A young row may come before older ones, if a clock was wrong or a callback lay in the spool: it is skipped.
  const old = next.filter(row => row.old)
  const end = old.at(-1)
  if (end === undefined) return { deleted: 0, last: true }
  const { numAffectedRows = 0n } = await aging
    .remove(
      old.map(({ key }) => key),
      before,
    )
    .execute(db)
  await sql`update retention set done_to = ${end.key} where name = ${aging.name}`.execute(db)
  return { deleted: Number(numAffectedRows), last: next.at(-1) !== end || next.length < atOnce }
}

/** Except those that hold the login of a profile. Whoever counts stored callbacks must leave these out. */
const callbacks: Aging = {
  name: 'callbacks',
  first: '00000000-0000-0000-0000-000000000000',
  next: (after, before) => sql`
    select id::text as key, received_at < ${before} as old from callbacks
    where id > ${after}::uuid order by id limit ${atOnce}`,
  remove: keys => sql`
    delete from callbacks where id in (
      select c.id from callbacks c where c.id = any(${keys}::uuid[]) and not exists (
        select from results s join profiles p on p.iccid = s.iccid and p.account_name = s.account_name
        where s.source_id = c.id and p.credential_callback_id = c.id
      ) order by c.id for update of c skip locked)`,
}

/** Except the last one of each profile, so that any time since then can still be asked for. */
const changes: Aging = {
  name: 'changes',
  first: '0',
  next: (after, before) => sql`
    select id::text as key, at < ${before} as old from changes
    where id > ${after}::bigint order by id limit ${atOnce}`,
  remove: (keys, before) => sql`
    delete from changes c where c.id = any(${keys}::bigint[]) and (c.kind <> 'profile' or exists (
      select from changes later where later.iccid = c.iccid and later.id > c.id
        and later.account_name = c.account_name and later.kind = 'profile' and later.at < ${before}))`,
}

/** Inbox rows written by plain SQL that were taken; a row with a problem waits for a person. */
const taken: Aging = {
  name: 'outgoing_activations',
  first: '0',
  next: (after, before) => sql`
    select id::text as key, inserted_at < ${before} as old from outgoing_activations
    where id > ${after}::bigint order by id limit ${atOnce}`,
  remove: keys => sql`
    delete from outgoing_activations where id = any(${keys}::bigint[]) and taken_at is not null and problem is null`,
}
