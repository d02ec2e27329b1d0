import { type Kysely, sql } from 'kysely'
import { pendingMigrations } from './migrate.ts'
import type { Tables } from './tables.ts'

/** Settings that a durable, complete commit needs. `remote_apply` and the like are stronger than `on`. */
const durable: { [setting: string]: string[] } = {
  synchronous_commit: ['on', 'remote_apply', 'remote_write'],
  fsync: ['on'],
  full_page_writes: ['on'],
  transaction_read_only: ['off'],
  // As a replica it fires no triggers: what they count would be missing from every list.
  session_replication_role: ['origin', 'local'],
}

/** Why callbacks can't be stored durably at the moment; empty when they can. */
export async function databaseProblems(db: Kysely<Tables>): Promise<string[]> {
  try {
    const { rows } = await sql<{ name: string; value: string }>`
      select name, current_setting(name) as value from unnest(${Object.keys(durable)}::text[]) as name`.execute(db)
    const weak = rows.filter(({ name, value }) => !durable[name]?.includes(value))
    const pending = await pendingMigrations(db)
    return [
      ...weak.map(({ name, value }) => `the database has ${name} = ${value}`),
      ...(pending.length > 0 ? ['the schema is not current: run npm run migrate'] : []),
    ]
  } catch {
    // Whatever went wrong, the answer is the same; the error itself may quote the address or the user.
    return ["the database can't be reached"]
  }
}
