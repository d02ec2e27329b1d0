import { type Kysely, sql } from 'kysely'

/*
 * Groups and their counts, kept and not scanned.
 *
 * Profiles, activations and callbacks each get a `group_id`: rows that agree in everything a list can be filtered by
 * share one. So any filter is a set of groups, and one index by group and order serves every filter, however rare.
 *
 *   profile_counts, activation_counts, callback_counts
 *                how many rows each group has: the sum over its rows. Every statement that changes the counted tables
 *                appends what it adds and takes away, and from time to time the rows of a group are merged into one.
 *                Appending locks nothing, so counting makes no two transactions wait for each other, and a reader sees
 *                exactly what a scan in the same snapshot would.
 *
 * Triggers, so that no way of writing these tables can be forgotten: not one of ours, nor one by hand.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await addGroups(db)
  await makeCounts(db)
  await countWhatIsThere(db)
  await keepCounting(db)
  await replaceIndexes(db)
}

const groups = {
  profiles: ['account_name', 'state', 'profile_status', 'profile_role', 'service_plan', 'result'],
  activations: ['account_name', 'operation', 'status', "case when overdue then 'overdue' end"],
  callbacks: ['account_name', 'service_name', 'verdict'],
}

/** 64 bits of a hash: rows of two groups would share one by a chance of one in billions, and stay two in the counts. */
async function addGroups(db: Kysely<unknown>): Promise<void> {
  for (const [table, values] of Object.entries(groups)) {
    const text = values.map(value => `quote_nullable(${value})`).join(` || ',' || `)
    await sql`alter table ${sql.table(table)}
      add column group_id bigint not null generated always as (hashtextextended(${sql.raw(text)}, 0)) stored`.execute(
      db,
    )
  }
}

async function makeCounts(db: Kysely<unknown>): Promise<void> {
  const settings = sql`with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`
  await sql`
    create table profile_counts (
      group_id bigint not null,
      account_name text not null,
      state text,
      profile_status text,
      profile_role text,
      service_plan text,
      result text not null,
      profiles bigint not null
    ) ${settings}`.execute(db)
  await sql`
    create table activation_counts (
      group_id bigint not null,
      account_name text not null,
      operation text not null,
      status text not null,
      overdue boolean not null,
      activations bigint not null
    ) ${settings}`.execute(db)
  await sql`
    create table callback_counts (
      group_id bigint not null,
      account_name text not null,
      service_name text not null,
      verdict text not null,
      minute timestamptz(3),
      callbacks bigint not null
    ) ${settings}`.execute(db)
  await sql`comment on column callback_counts.minute is 'when they were received; null: more than an hour ago'`.execute(
    db,
  )
}

async function countWhatIsThere(db: Kysely<unknown>): Promise<void> {
  await sql`
    insert into profile_counts
    select group_id, account_name, state, profile_status, profile_role, service_plan, result, count(*)
    from profiles group by 1, 2, 3, 4, 5, 6, 7`.execute(db)
  await sql`
    insert into activation_counts
    select group_id, account_name, operation, status, overdue, count(*)
    from activations where recorded_at is not null group by 1, 2, 3, 4, 5`.execute(db)
  await sql`
    insert into callback_counts
    select group_id, account_name, service_name, verdict,
      case when received_at > now() - interval '2 hours' then date_trunc('minute', received_at) end, count(*)
    from callbacks group by 1, 2, 3, 4, 5`.execute(db)
}

async function keepCounting(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function count_profiles() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' then
        insert into profile_counts
        select group_id, account_name, state, profile_status, profile_role, service_plan, result, count(*)
        from now_rows group by 1, 2, 3, 4, 5, 6, 7;
      elsif tg_op = 'DELETE' then
        insert into profile_counts
        select group_id, account_name, state, profile_status, profile_role, service_plan, result, -count(*)
        from was_rows group by 1, 2, 3, 4, 5, 6, 7;
      else
        insert into profile_counts
        select group_id, account_name, state, profile_status, profile_role, service_plan, result, sum(one)
        from (select *, 1 as one from now_rows union all select *, -1 from was_rows) moved
        group by 1, 2, 3, 4, 5, 6, 7 having sum(one) <> 0;
      end if;
      return null;
    end $$`.execute(db)
  await sql`
    create function count_activations() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' then
        insert into activation_counts
        values (new.group_id, new.account_name, new.operation, new.status, new.overdue, 1);
      elsif tg_op = 'DELETE' then
        insert into activation_counts
        select group_id, account_name, operation, status, overdue, -count(*)
        from was_rows where recorded_at is not null group by 1, 2, 3, 4, 5;
      else
        insert into activation_counts
        select group_id, account_name, operation, status, overdue, sum(one)
        from (select *, 1 as one from now_rows union all select *, -1 from was_rows) moved
        where recorded_at is not null group by 1, 2, 3, 4, 5 having sum(one) <> 0;
      end if;
      return null;
    end $$`.execute(db)
  await sql`
    create function count_callbacks() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' then
        insert into callback_counts
        select group_id, account_name, service_name, verdict, date_trunc('minute', received_at), count(*)
        from now_rows group by 1, 2, 3, 4, 5;
      elsif tg_op = 'DELETE' then
        insert into callback_counts
        select group_id, account_name, service_name, verdict, date_trunc('minute', received_at), -count(*)
        from was_rows group by 1, 2, 3, 4, 5;
      else
        insert into callback_counts values
          (old.group_id, old.account_name, old.service_name, old.verdict, date_trunc('minute', old.received_at), -1),
          (new.group_id, new.account_name, new.service_name, new.verdict, date_trunc('minute', new.received_at), 1);
      end if;
      return null;
    end $$`.execute(db)

  for (const table of ['profiles', 'activations', 'callbacks']) {
    const count = sql.raw(`execute function count_${table}()`)
    await sql`create trigger count_deleted after delete on ${sql.table(table)}
      referencing old table as was_rows for each statement ${count}`.execute(db)
  }
  for (const table of ['profiles', 'callbacks']) {
    const count = sql.raw(`execute function count_${table}()`)
    await sql`create trigger count_inserted after insert on ${sql.table(table)}
      referencing new table as now_rows for each statement ${count}`.execute(db)
  }
  for (const table of ['profiles', 'activations']) {
    const count = sql.raw(`execute function count_${table}()`)
    await sql`create trigger count_updated after update on ${sql.table(table)}
      referencing old table as was_rows new table as now_rows for each statement ${count}`.execute(db)
  }
  // Most new rows of activations only hold a place, and most updates of callbacks only count a delivery.
  await sql`create trigger count_inserted after insert on activations
    for each row when (new.recorded_at is not null) execute function count_activations()`.execute(db)
  await sql`create trigger count_updated after update on callbacks
    for each row when (old.group_id <> new.group_id) execute function count_callbacks()`.execute(db)
}

/** Fewer than before on callbacks, since one by group serves every filter. */
async function replaceIndexes(db: Kysely<unknown>): Promise<void> {
  await sql`drop index profiles_of_account`.execute(db)
  await sql`create index profiles_of_group on profiles (group_id, iccid, account_name)`.execute(db)
  await sql`create index profiles_changed on profiles (group_id, changed_at, iccid, account_name)`.execute(db)

  await sql`drop index activations_of_account`.execute(db)
  await sql`create index activations_of_group on activations (group_id, submitted_at, id)
    where recorded_at is not null`.execute(db)

  await sql`drop index callbacks_of_account`.execute(db)
  await sql`drop index callbacks_to_look_at`.execute(db)
  await sql`create index callbacks_of_group on callbacks (group_id, received_at, id)`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const table of ['callbacks', 'activations', 'profiles']) {
    for (const trigger of ['count_updated', 'count_inserted', 'count_deleted']) {
      await sql`drop trigger ${sql.ref(trigger)} on ${sql.table(table)}`.execute(db)
    }
    await sql`drop function ${sql.raw(`count_${table}()`)}`.execute(db)
    await sql`alter table ${sql.table(table)} drop column group_id`.execute(db)
  }
  for (const table of ['callback_counts', 'activation_counts', 'profile_counts']) {
    await sql`drop table ${sql.table(table)}`.execute(db)
  }
  await sql`create index callbacks_to_look_at on callbacks (verdict, id)
    where verdict in ('unmatched', 'other', 'quarantined')`.execute(db)
  await sql`create index callbacks_of_account on callbacks (account_name, id)`.execute(db)
  await sql`create index activations_of_account on activations (account_name, submitted_at, id)
    where recorded_at is not null`.execute(db)
  await sql`create index profiles_of_account on profiles (account_name, iccid)`.execute(db)
}
