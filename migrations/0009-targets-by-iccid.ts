import { type Kysely, sql } from 'kysely'

/*
 * An ICCID is asked for in few activations, so it finds its target alone. Behind the activation, as before, it competed
 * with the primary key: while a table is new to the planner both seem equal, and the key reads all targets of a bulk.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index targets_of_iccid on targets (iccid) where iccid is not null`.execute(db)
  await sql`drop index targets_by_iccid`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`create index targets_by_iccid on targets (activation_id, iccid)`.execute(db)
  await sql`drop index targets_of_iccid`.execute(db)
}
