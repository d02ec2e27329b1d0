import { type Kysely, sql } from 'kysely'

/*
 * What only this service reads is kept as `json`, the text it was written as: `jsonb` is taken apart when it is written
 * and put together again when it is read, for searches that nobody makes. And a change keeps what is shown of a profile,
 * not what that was folded from.
 */
const columns = [
  ['targets', 'evidence'],
  ['results', 'facts'],
  ['profiles', 'evidence'],
  ['profiles', 'address_update'],
  ['changes', 'was'],
  ['changes', 'becomes'],
  ['changes', 'profile'],
] as const

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    update changes x set profile = ((x.profile -> 'profile') - '{eid,evidence,lastWord}'::text[]) || (x.profile - 'profile') ||
      jsonb_build_object(
        'result', case
          when said.successes > 0 and said.faults > 0 then 'conflict'
          when said.successes > 0 then 'succeeded'
          when said.faults > 0 then 'failed'
          else coalesce(x.profile #>> '{profile,evidence,poll,result}', 'warning') end,
        'source', case when said.successes + said.faults + said.warnings > 0 then 'callback' else 'poll' end,
        'faultCode', case when said.faults > 0 then x.profile #> '{profile,evidence,fault,code}' end,
        'faultMessage', case when said.faults > 0 then x.profile #> '{profile,evidence,fault,message}' end)
    from (
      select c.id, e.* from changes c,
        jsonb_to_record(c.profile #> '{profile,evidence}') e(successes int, faults int, warnings int)
      where c.profile is not null
    ) said
    where said.id = x.id`.execute(db)
  await retype(db, 'json')
}

/** What the snapshots were folded from is gone: `asOf` knows nothing of the time before. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`update changes set profile = null`.execute(db)
  await retype(db, 'jsonb')
}

async function retype(db: Kysely<unknown>, type: 'json' | 'jsonb'): Promise<void> {
  const to = sql.raw(type)
  for (const [table, column] of columns) {
    const name = sql.ref(column)
    await sql`alter table ${sql.table(table)} alter column ${name} type ${to} using ${name}::text::${to}`.execute(db)
  }
}
