/** What all callers share: one token, one session, and how many logins in a row were refused. Times are epoch ms. */
export interface StoredSession {
  accessToken: string | null
  /** From then on a new token is asked for, unless the carrier hands out the same one again. */
  tokenRenewAt: number
  tokenEndsAt: number
  sessionToken: string | null
  sessionUsedAt: number
  refusedLogins: number
}

/**
 * Where the session lives. In memory for one process; in the database for several replicas.
 * `accessToken` and `sessionToken` are secrets: a store that writes them down must seal them.
 */
export interface SessionStore {
  load(): Promise<StoredSession | null>
  save(session: StoredSession): Promise<void>
  /** Moves `sessionUsedAt` forward, if that is still the stored session. */
  touch(sessionToken: string, usedAt: number): Promise<void>
  /** Runs `work` (which loads and saves) while nobody else who shares the store is in theirs. */
  alone<T>(work: () => Promise<T>): Promise<T>
}

export const memorySessionStore = (): SessionStore => {
  let kept: StoredSession | null = null
  let last: Promise<unknown> = Promise.resolve()
  return {
    load: async () => kept,
    save: async session => {
      kept = session
    },
    touch: async (sessionToken, usedAt) => {
      if (kept?.sessionToken === sessionToken) kept = { ...kept, sessionUsedAt: Math.max(kept.sessionUsedAt, usedAt) }
    },
    alone: work => {
      const mine = last.then(work, work)
      last = mine.catch(() => {})
      return mine
    },
  }
}
