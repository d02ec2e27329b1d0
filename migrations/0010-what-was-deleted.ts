import { type Kysely, sql } from 'kysely'

/*
 * The last change that was ever deleted, so that a reader of the feed who comes back too late is told. Noted by a trigger,
 * so that no way of deleting can forget it. Askers may not read the table, so they get a function, as for the feed's end.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table retention add column deleted_to bigint`.execute(db)
  await sql`update retention set deleted_to = done_to::bigint where name = 'changes'`.execute(db)
  await sql`
    create function note_deleted_changes() returns trigger language plpgsql set search_path from current as $$
    begin
      insert into retention as r (name, deleted_to) select 'changes', max(id) from deleted having count(*) > 0
      on conflict (name) do update set deleted_to = greatest(r.deleted_to, excluded.deleted_to);
      return null;
    end $$`.execute(db)
  await sql`
    create trigger note_deleted after delete on changes referencing old table as deleted
    for each statement execute function note_deleted_changes()`.execute(db)
  await sql`
    create function feed_deleted_to() returns bigint language sql stable security definer set search_path from current
      as 'select coalesce(max(deleted_to), 0) from retention where name = ''changes'''`.execute(db)
  await sql`revoke execute on function feed_deleted_to from public`.execute(db)
  // A reader that was made before is not made anew.
  await sql`
    do $$ declare reader name; begin
      for reader in
        select distinct unnest(roles) from pg_policies
        where schemaname = current_schema() and policyname = 'reader' and tablename = 'changes'
      loop execute format('grant execute on function feed_deleted_to to %I', reader); end loop;
    end $$`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop function feed_deleted_to`.execute(db)
  await sql`drop trigger note_deleted on changes`.execute(db)
  await sql`drop function note_deleted_changes`.execute(db)
  await sql`alter table retention drop column deleted_to`.execute(db)
}
