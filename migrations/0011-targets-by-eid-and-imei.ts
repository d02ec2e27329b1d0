import { type Kysely, sql } from 'kysely'

/*
 * As ICCIDs before: an EID or IMEI is asked for in few activations, so it finds its target alone. Only the primary key
 * begins with the activation now, so the planner has no choice between equals that reads all targets of a bulk.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index targets_of_eid on targets (eid) where eid is not null`.execute(db)
  await sql`create index targets_of_imei on targets (left(imei, 14)) where imei is not null`.execute(db)
  await sql`drop index targets_by_eid`.execute(db)
  await sql`drop index targets_by_imei`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`create index targets_by_eid on targets (activation_id, eid)`.execute(db)
  await sql`create index targets_by_imei on targets (activation_id, left(imei, 14))`.execute(db)
  await sql`drop index targets_of_eid`.execute(db)
  await sql`drop index targets_of_imei`.execute(db)
}
