import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'

const lockKey = 20_817_002
const prefix = 'callbacks_not_under_'

/**
 * Makes the index of the callbacks that are not sealed under this key. It lives only while a rotation does: receiving
 * never pays for it, one look at the whole table builds it, and every resumed or repeated run goes straight to what is
 * left. The service goes on meanwhile.
 */
export async function makeResealIndex(db: Kysely<Tables>, keyId: string): Promise<void> {
  const name = `${prefix}${keyId}`
  await alone(db, async session => {
    // The planner must know how few are left, or it would walk along all that are done.
    await sql`analyze callbacks (seal_key_id)`.execute(session)
    const { rows } = await sql<{ valid: boolean }>`
      select indisvalid as valid from pg_index where indexrelid = to_regclass(${name})`.execute(session)
    if (rows[0]?.valid === true) return
    // One that is not valid was left by a run that was killed while it built.
    await sql`drop index concurrently if exists ${sql.ref(name)}`.execute(session)
    await sql`
      create index concurrently ${sql.ref(name)} on callbacks (seal_key_id, id)
      where seal_key_id <> ${sql.lit(keyId)}`.execute(session)
  })
}

/** Drops it, and those of earlier rotations that were never finished. */
export async function dropResealIndexes(db: Kysely<Tables>): Promise<void> {
  await alone(db, async session => {
    const { rows } = await sql<{ name: string }>`
      select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
      where i.indrelid = to_regclass('callbacks') and starts_with(c.relname, ${prefix})`.execute(session)
    for (const { name } of rows) await sql`drop index concurrently if exists ${sql.ref(name)}`.execute(session)
  })
}

/**
 * One at a time. Asked for again and again instead of waited for: a statement that waits has a snapshot, and building
 * an index concurrently waits for all snapshots to end.
 */
async function alone(db: Kysely<Tables>, work: (session: Kysely<Tables>) => Promise<void>): Promise<void> {
  await db.connection().execute(async session => {
    while (!(await tryLock(session))) await new Promise(resolve => setTimeout(resolve, 200))
    try {
      await work(session)
    } finally {
      await sql`select pg_advisory_unlock(${lockKey})`.execute(session)
    }
  })
}

async function tryLock(session: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ taken: boolean }>`select pg_try_advisory_lock(${lockKey}) as taken`.execute(session)
  return rows[0]?.taken === true
}
