import { type Kysely, sql } from 'kysely'
import { alone } from '../database/alone.ts'
import type { Tables } from '../database/tables.ts'

const prefix = 'callbacks_not_under_'
/**
 * Building an index concurrently waits for whoever else waits for the same table: so one at a time, and the others
 * check again.
 */
const soleWork = { number: 20_817_002, name: 'reseal index', waitMs: 24 * 3_600_000 }

/**
 * Makes the index of the callbacks that are not sealed under this key. It exists only during a rotation: receiving
 * never pays for it otherwise, one pass over the table builds it, and every resumed or repeated run goes straight to
 * what is left. The service keeps running meanwhile.
 */
export async function makeResealIndex(db: Kysely<Tables>, keyId: string): Promise<void> {
  const name = `${prefix}${keyId}`
  await alone(db, soleWork, async () => {
    // The planner must know how few are left, or it would walk through all that are done.
    await sql`analyze callbacks (seal_key_id)`.execute(db)
    const { rows } = await sql<{ valid: boolean }>`
      select indisvalid as valid from pg_index where indexrelid = to_regclass(${name})`.execute(db)
    if (rows[0]?.valid === true) return
    // An invalid one was left by a run that was killed while building it.
    await sql`drop index concurrently if exists ${sql.ref(name)}`.execute(db)
    await sql`
      create index concurrently ${sql.ref(name)} on callbacks (seal_key_id, id)
      where seal_key_id <> ${sql.lit(keyId)}`.execute(db)
  })
}

/** Drops it, and those of earlier rotations that were never finished. */
export async function dropResealIndexes(db: Kysely<Tables>): Promise<void> {
  await alone(db, soleWork, async () => {
    const { rows } = await sql<{ name: string }>`
      select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
      where i.indrelid = to_regclass('callbacks') and starts_with(c.relname, ${prefix})`.execute(db)
    for (const { name } of rows) await sql`drop index concurrently if exists ${sql.ref(name)}`.execute(db)
  })
}
