import { type Kysely, sql } from 'kysely'

/*
 * What is asked of ThingSpace, and what is asked again.
 *
 *   submissions    one row per request that we send, committed before it leaves: a crash in between stays visible
 *   carrier_slots  the carrier's pace, shared by all replicas: each slot is one request within any minute
 *   carrier_turns  who may ask for the state of requests now: one of all replicas
 *   polls          activations that are overdue, and when the carrier is asked about them next
 *
 * An `unknown` submission has an activation of its own under our name for it, until its requestId is known.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table submissions (
      id uuid not null,
      name text not null,
      account_name text not null,
      asked_by text not null,
      idempotency_key text,
      request_digest bytea not null,
      request jsonb not null,
      state text not null default 'intended',
      request_id text,
      settled_by text,
      error_status integer,
      error_code text,
      error_message text,
      retry_after_seconds integer,
      intended_at timestamptz(3) not null,
      sent_at timestamptz(3),
      settled_at timestamptz(3),
      constraint submissions_key primary key (id),
      constraint submissions_name_is_one unique (name),
      constraint submissions_idempotency_key_is_one unique (account_name, asked_by, idempotency_key),
      constraint submissions_state_known check (state in ('intended', 'sent', 'accepted', 'refused', 'unknown')),
      constraint submissions_settled_by_known check (settled_by in ('answer', 'callback', 'manual', 'clock')),
      constraint submissions_accepted_have_a_request_id check ((state = 'accepted') = (request_id is not null))
    )`.execute(db)
  await sql`comment on column submissions.name is 'stands in for the requestId as long as that is not known'`.execute(
    db,
  )
  await sql`comment on column submissions.state is
    'intended: not sent yet; sent: committed before it left, no answer yet; unknown: it may have been taken'`.execute(
    db,
  )
  await sql`create index submissions_open on submissions (account_name, intended_at)
    where state in ('intended', 'sent', 'unknown')`.execute(db)
  await sql`create index submissions_unanswered on submissions (intended_at) where state in ('intended', 'sent')`.execute(
    db,
  )

  await sql`
    create table carrier_slots (
      slot integer not null,
      free_at timestamptz not null default '-infinity',
      constraint carrier_slots_key primary key (slot)
    )`.execute(db)
  await sql`comment on table carrier_slots is 'one row for each request that the carrier takes within a minute'`.execute(
    db,
  )
  await sql`insert into carrier_slots (slot) select generate_series(1, 100)`.execute(db)

  await sql`
    create table carrier_turns (
      name text not null,
      holder uuid,
      until timestamptz not null default '-infinity',
      constraint carrier_turns_key primary key (name)
    )`.execute(db)
  await sql`insert into carrier_turns (name) values ('polling')`.execute(db)

  await sql`
    create table polls (
      activation_id bigint not null,
      next_poll_at timestamptz(3) not null,
      polls integer not null default 0,
      outcome text,
      stopped_at timestamptz(3),
      stopped_because text,
      constraint polls_key primary key (activation_id),
      constraint polls_stopped_because_known check (stopped_because in ('settled', 'answered', 'tries')),
      constraint polls_stopped_for_a_reason check ((stopped_at is null) = (stopped_because is null))
    )`.execute(db)
  await sql`create index polls_to_come on polls (next_poll_at) where stopped_at is null`.execute(db)

  await sql`create index activations_due on activations (expected_by)
    where recorded_at is not null and settled_at is null and not overdue`.execute(db)
  await sql`create index activations_overdue on activations (account_name, submitted_at, id) where overdue`.execute(db)
  await sql`create index activations_unrecorded on activations (account_name, submitted_at)
    where recorded_at is null`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const index of ['activations_unrecorded', 'activations_overdue', 'activations_due']) {
    await sql`drop index ${sql.table(index)}`.execute(db)
  }
  for (const table of ['polls', 'carrier_turns', 'carrier_slots', 'submissions']) {
    await sql`drop table ${sql.table(table)}`.execute(db)
  }
}
