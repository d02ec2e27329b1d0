import { type Kysely, sql } from 'kysely'
import { findReader } from './reader.ts'
import type { Tables } from './tables.ts'

const rows = sql`select, insert, update, delete`

/**
 * Lets a role use the service's tables, including those that later migrations by this owner add, but change no
 * definition: what the service itself needs when it does not migrate. False: it may not take the reader's role, so
 * row-level security stays off for it.
 */
export async function grantTo(db: Kysely<Tables>, role: string): Promise<boolean> {
  const who = sql.id(role)
  const { rows: schemas } = await sql<{ name: string }>`
    select unnest(array[current_schema(), 'jobs']) as name`.execute(db)
  for (const schema of schemas.map(({ name }) => sql.id(name))) {
    for (const statement of [
      sql`grant usage on schema ${schema} to ${who}`,
      sql`grant ${rows} on all tables in schema ${schema} to ${who}`,
      sql`grant usage on all sequences in schema ${schema} to ${who}`,
      sql`grant execute on all functions in schema ${schema} to ${who}`,
      sql`alter default privileges in schema ${schema} grant ${rows} on tables to ${who}`,
      sql`alter default privileges in schema ${schema} grant usage on sequences to ${who}`,
      sql`alter default privileges in schema ${schema} grant execute on functions to ${who}`,
    ]) {
      await statement.execute(db)
    }
  }
  const reader = await findReader(db)
  return reader !== null && (await letTake(db, reader, role))
}

/**
 * Allowed to take it (SET ROLE), not to inherit it: whoever inherits it is restricted to accounts in everything it does.
 * Before PostgreSQL 16 that is said of a role, and not of a grant.
 */
async function letTake(db: Kysely<Tables>, reader: string, role: string): Promise<boolean> {
  const [taken, who] = [sql.id(reader), sql.id(role)]
  const { rows: found } = await sql<{ byGrant: boolean; inherits: boolean }>`
    select current_setting('server_version_num')::int >= 160000 as "byGrant", rolinherit as inherits
    from pg_roles where rolname = ${role}`.execute(db)
  const [{ byGrant, inherits } = { byGrant: false, inherits: true }] = found
  if (byGrant) await sql`grant ${taken} to ${who} with inherit false, set true`.execute(db)
  else if (!inherits) await sql`grant ${taken} to ${who}`.execute(db)
  return byGrant || !inherits
}
