import { type Kysely, sql } from 'kysely'

/*
 * How far the deleting of what is old has come, by table. What it passes over, for instance the callback that holds the
 * login of a profile, it looks at again when it begins anew.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table retention (
      name text not null,
      done_to text,
      began_at timestamptz(3) not null default clock_timestamp(),
      constraint retention_key primary key (name)
    )`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table retention`.execute(db)
}
