import { type Kysely, sql } from 'kysely'

/*
 * Who may ask, who may call back, and how we are signed in at ThingSpace. No secret stands here in clear: tokens and
 * listener credentials as digests, the session sealed.
 *
 *   api_tokens            made and revoked by command; a revoked one stays, so that its name in the audit is explained
 *   listeners             what we registered, one row per account and service
 *   listener_credentials  which credentials of a listener are accepted: the current ones, those being registered, and
 *                         for a day those before them
 *   thingspace_session    one row per ThingSpace user: what all replicas share, and how many logins were refused
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table api_tokens (
      id bigint generated always as identity,
      name text not null,
      digest bytea not null,
      scopes text[] not null,
      accounts text[] not null,
      created_at timestamptz(3) not null default clock_timestamp(),
      revoked_at timestamptz(3),
      constraint api_tokens_key primary key (id),
      constraint api_tokens_digest_is_one unique (digest),
      constraint api_tokens_digest_is_sha256 check (octet_length(digest) = 32),
      constraint api_tokens_allow_something check (cardinality(scopes) > 0 and cardinality(accounts) > 0)
    )`.execute(db)
  await sql`comment on column api_tokens.digest is 'SHA-256 of the token, which has 256 random bits itself'`.execute(db)
  await sql`create unique index api_tokens_one_live_token_per_name on api_tokens (name) where revoked_at is null`.execute(
    db,
  )

  await sql`
    create table listeners (
      account_name text not null,
      service_name text not null,
      url text not null,
      created_at timestamptz(3) not null default clock_timestamp(),
      registered_at timestamptz(3),
      deregistered_at timestamptz(3),
      constraint listeners_key primary key (account_name, service_name)
    )`.execute(db)
  await sql`comment on column listeners.registered_at is
    'when ThingSpace last confirmed a registration; null: it never did'`.execute(db)

  await sql`
    create table listener_credentials (
      id bigint generated always as identity,
      account_name text not null,
      service_name text not null,
      username text not null,
      digest bytea not null,
      created_at timestamptz(3) not null default clock_timestamp(),
      confirmed_at timestamptz(3),
      accepted_until timestamptz(3),
      constraint listener_credentials_key primary key (id),
      constraint listener_credentials_of_listener foreign key (account_name, service_name)
        references listeners (account_name, service_name) on delete cascade,
      constraint listener_credentials_digest_is_hmac_sha256 check (octet_length(digest) = 32)
    )`.execute(db)
  await sql`comment on column listener_credentials.digest is
    'HMAC-SHA-256 of username and password under a key that is sealed: whoever has only the database can try no passwords'`.execute(
    db,
  )
  await sql`comment on column listener_credentials.accepted_until is 'null: until others take their place'`.execute(db)
  await sql`create index listener_credentials_by_listener on listener_credentials (account_name, service_name)`.execute(
    db,
  )

  await sql`
    create table thingspace_session (
      identity text not null,
      sealed bytea,
      seal_key_id text,
      session_digest bytea,
      token_renew_at timestamptz(3),
      token_ends_at timestamptz(3),
      session_used_at timestamptz(3),
      refused_logins integer not null default 0,
      constraint thingspace_session_key primary key (identity),
      constraint thingspace_session_sealed_with_a_known_key check ((sealed is null) = (seal_key_id is null)),
      constraint thingspace_session_refused_logins_counted check (refused_logins >= 0)
    )`.execute(db)
  await sql`comment on column thingspace_session.identity is
    'digest of base URL, key and user: a session is shown to no other host, and each user has a latch'`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const table of ['thingspace_session', 'listener_credentials', 'listeners', 'api_tokens']) {
    await sql`drop table ${sql.table(table)}`.execute(db)
  }
}
