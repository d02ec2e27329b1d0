import { sql } from 'kysely'
import type { Database } from '../database/pool.ts'

export interface DuePoll {
  activationId: string
  accountName: string
  requestId: string
  /** How often the carrier has been asked about it. */
  polls: number
  /** Callbacks were faster. */
  settled: boolean
  /** When it is asked about again if nobody records an outcome. */
  claimedUntil: Date
}

export type StopReason = 'settled' | 'answered' | 'tries'

/** How long one turn lasts unless renewed: longer than one call of the carrier, with its logins, can take. */
const turnSeconds = 150

/**
 * Whether this replica may ask now: one of all replicas, until it gives up the turn or has been gone for its length.
 */
export async function takeTurn(db: Database, holder: string): Promise<boolean> {
  const { rows } = await sql`
    update carrier_turns set holder = ${holder}, until = clock_timestamp() + ${turnSeconds} * interval '1 second'
    where name = 'polling' and (holder = ${holder} or until < clock_timestamp())
    returning name`.execute(db)
  return rows.length === 1
}

export async function endTurn(db: Database, holder: string): Promise<void> {
  await sql`
    update carrier_turns set until = '-infinity' where name = 'polling' and holder = ${holder}`.execute(db)
}

/** One time for the whole statement: a clock that moves on while it runs could not be looked up in the index. */
const isDue = sql`
  stopped_at is null and next_poll_at <= statement_timestamp()
    and not exists (select from carrier_turns where name = 'put off' and until > statement_timestamp())`

export async function anyDue(db: Database): Promise<boolean> {
  const { rows } = await sql`select 1 from polls where ${isDue} limit 1`.execute(db)
  return rows.length === 1
}

/**
 * Postpones the next one before it is asked about: one whose answer can't be stored must not be asked about all the
 * time.
 */
export async function claimDue(db: Database): Promise<DuePoll | null> {
  const { rows } = await sql<DuePoll>`
    update polls p set next_poll_at = clock_timestamp() + interval '1 minute'
    from activations a
    where a.id = p.activation_id and p.activation_id = (
      select activation_id from polls where ${isDue} order by next_poll_at limit 1)
    returning p.activation_id as "activationId", a.account_name as "accountName", a.request_id as "requestId", p.polls,
      a.settled_at is not null as settled, p.next_poll_at as "claimedUntil"`.execute(db)
  return rows[0] ?? null
}

/** The carrier is in trouble: nothing is asked about before this time, however much is due by then. */
export async function putOff(db: Database, ms: number): Promise<void> {
  await sql`
    insert into carrier_turns as t (name, until)
    values ('put off', clock_timestamp() + ${ms} * interval '1 millisecond')
    on conflict (name) do update set until = greatest(t.until, excluded.until)`.execute(db)
}

export interface PollOutcome {
  outcome: string
  /** The time until the next poll; null: no more. */
  nextAfterMs: number | null
  stopped: StopReason | null
  /** False: the carrier was not asked about it, so this was no try. */
  counts: boolean
  /** For how long nothing else is asked about; null: the others keep their times. */
  othersAfterMs: number | null
  /** False: better not to ask about another one right now. */
  isWell: boolean
}

/** Records nothing if something has changed during the poll, so that it is to be asked about again. */
export async function notePoll(
  db: Database,
  { activationId, claimedUntil }: DuePoll,
  poll: PollOutcome,
): Promise<void> {
  await sql`
    update polls set polls = polls + ${poll.counts ? 1 : 0}, outcome = ${poll.outcome},
      next_poll_at = clock_timestamp() + ${poll.nextAfterMs ?? 0} * interval '1 millisecond',
      stopped_at = ${poll.stopped === null ? sql`null` : sql`clock_timestamp()`}, stopped_because = ${poll.stopped}
    where activation_id = ${activationId} and next_poll_at = ${claimedUntil}`.execute(db)
}
