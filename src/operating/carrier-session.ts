import { createHash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { alone } from '../database/alone.ts'
import type { Tables } from '../database/tables.ts'
import { CannotOpen, type Sealer } from '../secrets/sealer.ts'
import type { SessionStore, StoredSession } from '../thingspace/session-store.ts'

/** Whose session it is. Another host, application or user has another session, and another login latch. */
export interface SessionOwner {
  baseUrl: string
  key: string
  username: string
}

const lockNumber = 20_817_003
/** A sign-in takes at most three exchanges of 30 s. */
const waitMs = 100_000

/** The session that all replicas and commands on this database share. Its tokens are sealed. */
export function createSessionStore(db: Kysely<Tables>, sealer: Sealer, owner: SessionOwner): SessionStore {
  const identity = digest(JSON.stringify([owner.baseUrl, owner.key, owner.username]))
    .toString('hex')
    .slice(0, 32)
  const boundTo = `thingspace-session:${identity}`

  return {
    async load() {
      const row = await db
        .selectFrom('thingspace_session')
        .selectAll()
        .where('identity', '=', identity)
        .executeTakeFirst()
      if (row === undefined) return null
      const tokens = openTokens(row.sealed, row.seal_key_id)
      return {
        ...tokens,
        tokenRenewAt: row.token_renew_at?.getTime() ?? 0,
        tokenEndsAt: row.token_ends_at?.getTime() ?? 0,
        sessionUsedAt: row.session_used_at?.getTime() ?? 0,
        refusedLogins: row.refused_logins,
      }
    },

    async save(session) {
      const { accessToken, sessionToken } = session
      const none = accessToken === null && sessionToken === null
      const sealed = none ? null : sealer.seal(Buffer.from(JSON.stringify([accessToken, sessionToken])), boundTo)
      const row = {
        sealed: sealed?.sealed ?? null,
        seal_key_id: sealed?.keyId ?? null,
        session_digest: sessionToken === null ? null : digest(sessionToken),
        token_renew_at: new Date(session.tokenRenewAt),
        token_ends_at: new Date(session.tokenEndsAt),
        session_used_at: new Date(session.sessionUsedAt),
        refused_logins: session.refusedLogins,
      }
      await db
        .insertInto('thingspace_session')
        .values({ identity, ...row })
        .onConflict(conflict => conflict.column('identity').doUpdateSet(row))
        .execute()
    },

    async touch(sessionToken, usedAt) {
      await db
        .updateTable('thingspace_session')
        .set({ session_used_at: sql<Date>`greatest(session_used_at, ${new Date(usedAt)})` })
        .where('identity', '=', identity)
        .where('session_digest', '=', digest(sessionToken))
        .execute()
    },

    alone: work => alone(db, { number: lockNumber, name: identity, waitMs }, work),
  }

  /** A session sealed under a key that is gone is lost: a new login is cheaper than keeping old keys. */
  function openTokens(
    sealed: Buffer | null,
    keyId: string | null,
  ): Pick<StoredSession, 'accessToken' | 'sessionToken'> {
    const none = { accessToken: null, sessionToken: null }
    if (sealed === null || keyId === null) return none
    try {
      const [accessToken, sessionToken] = JSON.parse(sealer.open(sealed, keyId, boundTo).toString())
      return { accessToken, sessionToken }
    } catch (error) {
      if (error instanceof CannotOpen) return none
      throw error
    }
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
