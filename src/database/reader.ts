import { type Kysely, sql } from 'kysely'
import type { Database } from './pool.ts'
import { sqlState } from './refusal.ts'
import type { Tables } from './tables.ts'
import { inTransaction } from './transaction.ts'

/**
 * Rows that name their account, and rows that belong to such a row. A reader can't read anything that is not listed.
 */
const ownCondition = sql.raw(`
  (select current_setting('thingspace.accounts', true)) = '*'
  or account_name = any ((select string_to_array(current_setting('thingspace.accounts', true), E'\\n'))::text[])`)
const visible = {
  activations: ownCondition,
  callbacks: ownCondition,
  results: ownCondition,
  profiles: ownCondition,
  changes: ownCondition,
  submissions: ownCondition,
  profile_counts: ownCondition,
  activation_counts: ownCondition,
  callback_counts: ownCondition,
  targets: sql.raw(`
    (select current_setting('thingspace.accounts', true)) = '*'
    or exists (select from activations a where a.id = activation_id)`),
}
const functions = ['feed_head()', 'feed_deleted_to()']

/** The lock under which one process at a time makes the reader. */
const makingReader = 7_007

/**
 * The role in which questions are answered: it sees only the accounts that the setting `thingspace.accounts` names.
 * null when there is no such role that we may take: then only the conditions of each query keep accounts apart. A dump
 * that was restored without its grants has the policies, but a role that may not read.
 */
export async function findReader(db: Kysely<Tables>): Promise<string | null> {
  const { rows } = await sql<{ reader: string }>`
    select min(reader) as reader
    from pg_policies, unnest(roles) as reader join pg_roles on rolname = reader
    where schemaname = current_schema() and policyname = 'reader' and tablename = any(${Object.keys(visible)})
      and pg_has_role(current_user, reader,
        case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)
      and has_schema_privilege(pg_roles.oid, schemaname, 'usage')
      and has_table_privilege(pg_roles.oid, format('%I.%I', schemaname, tablename), 'select')
      and (select bool_and(has_function_privilege(pg_roles.oid, name, 'execute')) from unnest(${functions}::text[]) as name)
    group by reader having count(distinct tablename) = ${Object.keys(visible).length}`.execute(db)
  return rows[0]?.reader ?? null
}

/**
 * Makes that role where it is missing, for the user that owns the tables. The user needs CREATEROLE once; without it,
 * or when it does not own the tables, nothing is made.
 */
export async function makeReader(db: Database): Promise<void> {
  try {
    await inTransaction(db, async trx => {
      await sql`select pg_advisory_xact_lock(${sql.lit(makingReader)})`.execute(trx)
      if ((await findReader(trx)) === null) await make(trx)
    })
  } catch (error) {
    if (sqlState(error) !== insufficientPrivilege) throw error
  }
}

const insufficientPrivilege = '42501'

async function make(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ reader: string; member: boolean }>`
    select reader,
      coalesce((select pg_has_role(current_user, oid, 'MEMBER') from pg_roles where rolname = reader), false) as member
    from (select left('reader_of_' || current_user, 63) as reader) named`.execute(db)
  const [{ reader: name = '', member = false } = {}] = rows
  const reader = sql.id(name)
  // Tried without looking first: roles belong to the whole server, and a service on another database may be making it
  // now.
  await sql`do $$ begin
    create role ${reader} nologin;
  exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
      if not exists (select from pg_roles where rolname = ${sql.lit(name)}) then raise; end if;
  end $$`.execute(db)
  if (!member) await sql`grant ${reader} to current_user`.execute(db)
  await sql`do $$ begin execute format('grant usage on schema %I to %I', current_schema(), ${sql.lit(name)}); end $$`.execute(
    db,
  )
  for (const [table, condition] of Object.entries(visible)) {
    await sql`drop policy if exists reader on ${sql.table(table)}`.execute(db)
    await sql`create policy reader on ${sql.table(table)} as restrictive for select to ${reader} using (${condition})`.execute(
      db,
    )
    await sql`grant select on ${sql.table(table)} to ${reader}`.execute(db)
  }
  for (const name of functions) await sql`grant execute on function ${sql.raw(name)} to ${reader}`.execute(db)
}
