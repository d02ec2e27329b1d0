import { type Kysely, sql } from 'kysely'

/*
 * A keyed digest of the login that a profile's newest callback brought: another login is a change, and only a digest can
 * tell without opening what is sealed. Profiles known before have none: their next login is taken for the one they had.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table profiles add column credential_digest text`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table profiles drop column credential_digest`.execute(db)
}
