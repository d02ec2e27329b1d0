import { type Kysely, sql } from 'kysely'

/*
 * Frozen once on main: a later need is a later file.
 *
 * How the tables hang together:
 *   activations  one row per (account, requestId). Whoever comes first makes it: the record of the request or a
 *                callback that overtook it. Both sides lock this row first, so neither can miss the other.
 *   targets      the devices of an activation, as they were asked for
 *   callbacks    every message, once, with its secrets sealed
 *   results      one line per thing that one message (or one status poll) says of one target
 *   profiles     what is true now: a fold over the results that name an ICCID
 *   changes      the feed and the history
 *
 * Tables that grow with every callback carry no foreign keys: their rows are written only under the lock of their
 * activation's row, and a key check per row would cost as much as the row itself.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table activations (
      id bigint generated always as identity,
      account_name text not null,
      request_id text not null,
      recorded_at timestamptz(3),
      request_digest bytea,
      operation text not null default 'activate',
      service_plan text,
      mdn_zip_code text,
      submitted_at timestamptz(3) not null,
      expected_by timestamptz(3),
      settled_at timestamptz(3),
      status text not null default 'pending',
      overdue boolean not null default false,
      targets integer not null default 0,
      pending integer not null default 0,
      warning integer not null default 0,
      succeeded integer not null default 0,
      failed integer not null default 0,
      conflict integer not null default 0,
      version integer not null default 1,
      constraint activations_key primary key (id),
      constraint activations_one_row_per_request unique (request_id, account_name),
      constraint activations_status_known
        check (status in ('pending', 'partial', 'succeeded', 'failed', 'mixed', 'conflict', 'unknown')),
      constraint activations_counts_are_the_sum_of_targets
        check (targets = pending + warning + succeeded + failed + conflict)
    ) with (fillfactor = 70)`.execute(db)
  await sql`comment on column activations.submitted_at is
    'when the request was sent; until it is recorded, when the first callback named it'`.execute(db)
  await sql`comment on column activations.recorded_at is 'null: only callbacks have named this request so far'`.execute(
    db,
  )
  await sql`create index activations_of_account on activations (account_name, submitted_at, id)
    where recorded_at is not null`.execute(db)
  await sql`create index activations_unsettled on activations (expected_by)
    where recorded_at is not null and settled_at is null`.execute(db)

  await sql`
    create table targets (
      activation_id bigint not null,
      number integer not null,
      requested boolean not null,
      eid text,
      iccid text,
      imei text,
      learned_eid text,
      learned_iccid text,
      learned_imei text,
      evidence jsonb not null,
      result text not null default 'pending',
      fault_code text,
      fault_message text,
      source text,
      callbacks integer not null default 0,
      overdue boolean not null default false,
      first_result_at timestamptz(3),
      settled_at timestamptz(3),
      constraint targets_key primary key (activation_id, number),
      constraint targets_of_activation foreign key (activation_id) references activations (id),
      constraint targets_result_known check (result in ('pending', 'warning', 'succeeded', 'failed', 'conflict')),
      constraint targets_source_known check (source in ('callback', 'poll', 'manual'))
    ) with (fillfactor = 70)`.execute(db)
  await sql`create index targets_by_iccid on targets (activation_id, iccid)`.execute(db)
  await sql`create index targets_by_eid on targets (activation_id, eid)`.execute(db)
  await sql`create index targets_by_imei on targets (activation_id, left(imei, 14))`.execute(db)

  await sql`
    create table callbacks (
      id uuid not null,
      account_name text not null,
      service_name text not null,
      activation_id bigint,
      fingerprint uuid not null,
      verdict text not null,
      reason text,
      received_at timestamptz(3) not null,
      last_seen_at timestamptz(3) not null,
      times_seen integer not null default 1,
      highest_callback_count integer,
      body text,
      sealed bytea,
      seal_key_id text,
      constraint callbacks_key primary key (id),
      constraint callbacks_same_message unique nulls not distinct (activation_id, fingerprint),
      constraint callbacks_verdict_known
        check (verdict in ('applied', 'unchanged', 'unmatched', 'other', 'quarantined')),
      constraint callbacks_sealed_with_a_known_key check ((sealed is null) = (seal_key_id is null)),
      constraint callbacks_keep_what_came check (body is not null or sealed is not null)
    )`.execute(db)
  await sql`comment on column callbacks.id is 'UUIDv7, given at arrival: the order of ids is the order of arrival'`.execute(
    db,
  )
  await sql`comment on column callbacks.fingerprint is
    'first 128 bits of an HMAC-SHA-256 over the canonical message; equal means the same message came again'`.execute(db)
  await sql`create index callbacks_of_account on callbacks (account_name, id)`.execute(db)
  await sql`create index callbacks_to_look_at on callbacks (verdict, id)
    where verdict in ('unmatched', 'other', 'quarantined')`.execute(db)

  await sql`
    create table results (
      source_id uuid not null,
      ordinal smallint not null,
      source text not null,
      activation_id bigint not null,
      target_number integer,
      account_name text not null,
      result text not null,
      fault_code text,
      fault_message text,
      eid text,
      iccid text,
      imei text,
      facts jsonb not null,
      at timestamptz(3) not null,
      constraint results_key primary key (source_id, ordinal),
      constraint results_result_known check (result in ('warning', 'succeeded', 'failed')),
      constraint results_source_known check (source in ('callback', 'poll', 'manual'))
    )`.execute(db)
  await sql`comment on column results.target_number is 'null while the activation is not recorded'`.execute(db)
  await sql`create index results_of_target on results (activation_id, target_number)`.execute(db)
  await sql`create index results_of_profile on results (iccid, account_name) where iccid is not null`.execute(db)

  await sql`
    create table profiles (
      iccid text not null,
      account_name text not null,
      eid text,
      imei text,
      mdn text,
      msisdn text,
      state text,
      profile_status text,
      profile_role text,
      service_plan text,
      address_update jsonb,
      credential_callback_id uuid,
      activation_id bigint not null,
      evidence jsonb not null,
      result text not null,
      fault_code text,
      fault_message text,
      source text not null,
      spoken_submitted_at timestamptz(3) not null,
      spoken_final boolean not null,
      spoken_at timestamptz(3) not null,
      spoken_by uuid not null,
      changed_at timestamptz(3) not null,
      confirmed_at timestamptz(3) not null,
      version integer not null,
      constraint profiles_key primary key (iccid, account_name),
      constraint profiles_result_known check (result in ('pending', 'warning', 'succeeded', 'failed', 'conflict'))
    ) with (fillfactor = 70)`.execute(db)
  await sql`create index profiles_of_account on profiles (account_name, iccid)`.execute(db)
  await sql`create index profiles_by_eid on profiles (eid) where eid is not null`.execute(db)
  await sql`create index profiles_by_imei on profiles (left(imei, 14)) where imei is not null`.execute(db)
  await sql`create index profiles_by_mdn on profiles (mdn) where mdn is not null`.execute(db)
  await sql`create index profiles_by_msisdn on profiles (msisdn) where msisdn is not null`.execute(db)

  await sql`
    create table changes (
      id bigint generated always as identity,
      at timestamptz(3) not null,
      kind text not null,
      account_name text not null,
      request_id text,
      iccid text,
      eid text,
      was jsonb,
      becomes jsonb not null,
      callback_id uuid,
      source text not null,
      profile jsonb,
      constraint changes_key primary key (id),
      constraint changes_kind_known check (kind in ('profile', 'result', 'activation')),
      constraint changes_source_known check (source in ('callback', 'poll', 'manual', 'clock', 'record'))
    )`.execute(db)
  await sql`comment on column changes.id is
    'numbered while the feed lock is held until commit: no later commit can slip in front of a number already seen'`.execute(
    db,
  )
  await sql`comment on column changes.profile is 'the whole profile after a change of kind profile, for ?asOf='`.execute(
    db,
  )
  await sql`create index changes_of_account on changes (account_name, id)`.execute(db)
  await sql`create index changes_of_profile on changes (iccid, id) where iccid is not null`.execute(db)
  await sql`create index changes_of_request on changes (request_id, id) where request_id is not null`.execute(db)

  await sql`
    create table outgoing_activations (
      id bigint generated always as identity,
      request_id text not null,
      account_name text not null,
      operation text,
      service_plan text,
      mdn_zip_code text,
      devices jsonb not null,
      submitted_at timestamptz(3),
      inserted_at timestamptz(3) not null default clock_timestamp(),
      taken_at timestamptz(3),
      problem text,
      constraint outgoing_activations_key primary key (id),
      constraint outgoing_activations_request_id_shape check (request_id ~ '^[A-Za-z0-9-]{3,64}$'),
      constraint outgoing_activations_devices_is_a_list check (jsonb_typeof(devices) = 'array')
    )`.execute(db)
  await sql`comment on table outgoing_activations is
    'inbox for programs that record an activation by plain SQL; the service takes each row within 2 seconds'`.execute(
    db,
  )
  await sql`create index outgoing_activations_waiting on outgoing_activations (id) where taken_at is null`.execute(db)

  await sql`
    create table audit (
      id bigint generated always as identity,
      at timestamptz(3) not null default clock_timestamp(),
      who text not null,
      action text not null,
      account_name text,
      iccid text,
      callback_id uuid,
      constraint audit_key primary key (id)
    )`.execute(db)
  await sql`comment on table audit is 'who was shown or did what with a secret; appended, never changed'`.execute(db)

  await sql`
    create table sealed_keys (
      name text not null,
      sealed bytea not null,
      seal_key_id text not null,
      constraint sealed_keys_key primary key (name)
    )`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const table of [
    'sealed_keys',
    'audit',
    'outgoing_activations',
    'changes',
    'profiles',
    'results',
    'callbacks',
    'targets',
    'activations',
  ]) {
    await sql`drop table ${sql.table(table)}`.execute(db)
  }
}
