import { type Kysely, sql } from 'kysely'
import type { Database } from '../database/pool.ts'
import type { Tables } from '../database/tables.ts'

/** One listener: what we registered at ThingSpace for one account and service. */
export interface ListenerName {
  accountName: string
  serviceName: string
}

/** Credentials that callbacks of one listener may carry. */
export interface AcceptedDigest extends ListenerName {
  digest: Buffer
  /** Epoch milliseconds; infinite when there is no end. */
  until: number
}

export interface StoredListeners {
  accepted: AcceptedDigest[]
  /** Whether there ever was one: deregistering a listener does not bring the try-out mode back. */
  any: boolean
}

/**
 * - `registered`: ThingSpace has confirmed it
 * - `unconfirmed`: it may have it; our credentials for it are accepted
 * - `deregistered`: ThingSpace no longer has it; its last credentials are accepted for a day
 */
export type ListenerState = 'registered' | 'unconfirmed' | 'deregistered'

export interface ListenerView extends ListenerName {
  url: string
  /** As ThingSpace last confirmed it, or else as it was last asked for. */
  username: string | null
  state: ListenerState
  registeredAt: string | null
  deregisteredAt: string | null
  /** Until when the earlier credentials are accepted as well. */
  previousUntil: string | null
}

/** How long replaced credentials are still accepted: the carrier was seen to use them for 14 minutes [OBS]. */
export const previousValidHours = 24

/** From now on callbacks with these credentials are accepted, beside the earlier ones. Returns their id. */
export async function acceptCredentials(
  db: Database,
  { accountName, serviceName }: ListenerName,
  { url, username, digest }: { url: string; username: string; digest: Buffer },
): Promise<string> {
  const key = { account_name: accountName, service_name: serviceName }
  return db.transaction().execute(async trx => {
    await trx
      .insertInto('listeners')
      .values({ ...key, url })
      .onConflict(conflict => conflict.constraint('listeners_key').doNothing())
      .execute()
    await sql`
      delete from listener_credentials where account_name = ${accountName} and service_name = ${serviceName}
      and accepted_until < clock_timestamp()`.execute(trx)
    const { id } = await trx
      .insertInto('listener_credentials')
      .values({ ...key, username, digest })
      .returning('id')
      .executeTakeFirstOrThrow()
    return id
  })
}

/** ThingSpace has taken these credentials: the earlier ones expire in a day. */
export async function confirmCredentials(
  db: Database,
  { accountName, serviceName }: ListenerName,
  credentialsId: string,
  url: string,
): Promise<void> {
  await db.transaction().execute(async trx => {
    await endCredentials(trx, { accountName, serviceName }, credentialsId)
    await sql`update listener_credentials set confirmed_at = clock_timestamp() where id = ${credentialsId}`.execute(trx)
    await sql`
      update listeners set url = ${url}, registered_at = clock_timestamp(), deregistered_at = null
      where account_name = ${accountName} and service_name = ${serviceName}`.execute(trx)
  })
}

/** ThingSpace has refused these credentials: it is as if they had never existed. */
export async function withdrawCredentials(
  db: Database,
  { accountName, serviceName }: ListenerName,
  credentialsId: string,
): Promise<void> {
  await db.transaction().execute(async trx => {
    await sql`delete from listener_credentials where id = ${credentialsId}`.execute(trx)
    await sql`
      delete from listeners l where account_name = ${accountName} and service_name = ${serviceName}
      and registered_at is null and not exists (
        select from listener_credentials c where c.account_name = l.account_name and c.service_name = l.service_name
      )`.execute(trx)
  })
}

/** ThingSpace no longer has the listener: callbacks under way are accepted for a day. False when we had none. */
export async function retireListener(db: Database, name: ListenerName): Promise<boolean> {
  return db.transaction().execute(async trx => {
    const { numAffectedRows } = await sql`
      update listeners set deregistered_at = clock_timestamp()
      where account_name = ${name.accountName} and service_name = ${name.serviceName} and deregistered_at is null`.execute(
      trx,
    )
    await endCredentials(trx, name, null)
    return numAffectedRows === 1n
  })
}

async function endCredentials(
  db: Kysely<Tables>,
  { accountName, serviceName }: ListenerName,
  but: string | null,
): Promise<void> {
  await sql`
    update listener_credentials
    set accepted_until = clock_timestamp() + make_interval(hours => ${sql.lit(previousValidHours)})
    where account_name = ${accountName} and service_name = ${serviceName} and accepted_until is null
      and id is distinct from ${but}::bigint`.execute(db)
}

export async function listListeners(db: Kysely<Tables>): Promise<ListenerView[]> {
  const { rows } = await sql<{
    account_name: string
    service_name: string
    url: string
    username: string | null
    registered_at: Date | null
    deregistered_at: Date | null
    previous_until: Date | null
  }>`
    select l.*, c.username, p.until as previous_until from listeners l
    left join lateral (
      select username from listener_credentials c
      where c.account_name = l.account_name and c.service_name = l.service_name
      order by confirmed_at desc nulls last, id desc limit 1
    ) c on true
    left join lateral (
      select max(accepted_until) as until from listener_credentials c
      where c.account_name = l.account_name and c.service_name = l.service_name
        and accepted_until > clock_timestamp()
    ) p on true
    order by l.account_name, l.service_name`.execute(db)
  return rows.map(row => ({
    accountName: row.account_name,
    serviceName: row.service_name,
    url: row.url,
    username: row.username,
    state: stateOf(row),
    registeredAt: row.registered_at?.toISOString() ?? null,
    deregisteredAt: row.deregistered_at?.toISOString() ?? null,
    previousUntil: row.previous_until?.toISOString() ?? null,
  }))
}

function stateOf(row: { registered_at: Date | null; deregistered_at: Date | null }): ListenerState {
  if (row.deregistered_at !== null) return 'deregistered'
  return row.registered_at === null ? 'unconfirmed' : 'registered'
}

/** As with tokens, whether there is any is asked first. */
export async function loadListeners(db: Kysely<Tables>): Promise<StoredListeners> {
  const any = await isThereAny(db)
  const { rows } = await sql<{ account_name: string; service_name: string; digest: Buffer; left_ms: string | null }>`
    select account_name, service_name, digest,
      extract(epoch from accepted_until - clock_timestamp()) * 1000 as left_ms
    from listener_credentials where accepted_until is null or accepted_until > clock_timestamp()`.execute(db)
  const accepted = rows.map(row => ({
    accountName: row.account_name,
    serviceName: row.service_name,
    digest: row.digest,
    until: row.left_ms === null ? Number.POSITIVE_INFINITY : Date.now() + Number(row.left_ms),
  }))
  return { accepted, any: any || accepted.length > 0 }
}

async function isThereAny(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`select exists (select from listeners) as found`.execute(db)
  return rows[0]?.found === true
}
