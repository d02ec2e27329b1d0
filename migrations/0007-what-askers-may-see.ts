import { type Kysely, sql } from 'kysely'

/*
 * Row-level security as a second line behind the conditions of every query: who asks does so in a role that PostgreSQL
 * itself keeps to the accounts of the token (src/database/reader.ts makes that role and its policies, since a role
 * belongs to the server, not to the schema). The owner of the tables and all other roles go on as before.
 *
 * Under such a policy PostgreSQL uses an index only for conditions that can't give away a row before it was checked.
 * Comparing text is one, left() is not. So the first 14 digits of an IMEI are looked up as a range.
 */
const seen = [
  'activations',
  'targets',
  'callbacks',
  'results',
  'profiles',
  'changes',
  'submissions',
  'profile_counts',
  'activation_counts',
  'callback_counts',
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of seen) {
    await sql`create policy everyone on ${sql.table(table)} using (true) with check (true)`.execute(db)
    await sql`alter table ${sql.table(table)} enable row level security`.execute(db)
  }
  await sql`create index profiles_by_imei_digits on profiles (imei collate "C") where imei is not null`.execute(db)
  await sql`drop index profiles_by_imei`.execute(db)

  await sql`
    create function feed_head() returns bigint language sql stable security definer set search_path from current
      as 'select coalesce(max(id), 0) from changes'`.execute(db)
  await sql`comment on function feed_head is
    'the end of the feed, whatever account the last change is of: to look for the last visible one could read them all'`.execute(
    db,
  )
  await sql`revoke execute on function feed_head from public`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop function feed_head`.execute(db)
  await sql`create index profiles_by_imei on profiles (left(imei, 14)) where imei is not null`.execute(db)
  await sql`drop index profiles_by_imei_digits`.execute(db)
  for (const table of seen) {
    await sql`alter table ${sql.table(table)} disable row level security`.execute(db)
    await sql`drop policy everyone on ${sql.table(table)}`.execute(db)
    await sql`drop policy if exists reader on ${sql.table(table)}`.execute(db)
  }
}
