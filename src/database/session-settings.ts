/** Limits in milliseconds: PostgreSQL has none by default, so one locked row could wedge all. */
export interface SessionLimits {
  statementTimeoutMs: number
  lockTimeoutMs: number
  /** Each statement is planned once per connection instead of at every execution. */
  planOnce?: boolean
}

/**
 * The first statement on every connection: what it needs, whatever the database or the user is set to. Not said while
 * connecting, where a pooler refuses every setting that it does not know, and where `options` in the DATABASE_URL would
 * take the place of ours.
 */
export function sessionSettings({ statementTimeoutMs, lockTimeoutMs, planOnce }: SessionLimits): string {
  return statementOf({
    statement_timeout: String(statementTimeoutMs),
    lock_timeout: String(lockTimeoutMs),
    // A transaction whose link died keeps its locks for this long, perhaps the feed's, for which everybody waits.
    idle_in_transaction_session_timeout: '2000',
    // A commit means a commit, and each statement sees what was committed before it, which our locks rely on.
    synchronous_commit: 'on',
    default_transaction_isolation: 'read committed',
    // Times in the form that the driver can read; lists and quotes as we write them.
    datestyle: 'iso',
    array_nulls: 'on',
    standard_conforming_strings: 'on',
    // Off, it would not show more to who asks, but refuse to answer.
    row_security: 'on',
    // The server warns who is not to blame for a crash. What is less than that nobody reads.
    client_min_messages: 'warning',
    // Every statement here finds its rows by key. With missing or old statistics, the planner would sometimes prefer to
    // read whole tables: the cost must not depend on how much is stored.
    enable_seqscan: 'off',
    enable_hashjoin: 'off',
    enable_mergejoin: 'off',
    enable_material: 'off',
    enable_bitmapscan: 'off',
    jit: 'off',
    // PostgreSQL would plan again for each number of rows, and get the same plan every time, since all go by key.
    ...(planOnce === true ? { plan_cache_mode: 'force_generic_plan' } : {}),
    ...endsDeadSessions,
  })
}

/** The same for a connection that only listens. */
export function listeningSettings(): string {
  return statementOf(endsDeadSessions)
}

/**
 * A session whose client vanished without a word is also ended by the server, within half a minute: otherwise it would
 * count against max_connections for hours.
 */
const endsDeadSessions = {
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  idle_session_timeout: '600000',
}

function statementOf(settings: { [name: string]: string }): string {
  const set = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', false)`)
  return `select ${[...set, sameSchemas].join(', ')}`
}

/**
 * "$user" would be another schema as soon as the connection takes the role of who asks. The others stay as they are named:
 * one that does not exist yet may be made while the connection lasts.
 */
const sameSchemas = `set_config('search_path',
  replace(replace(current_setting('search_path'), '"$user"', quote_ident(current_user)), '$user', quote_ident(current_user)),
  false)`
