import { randomUUID } from 'node:crypto'
import { gateway, Refusal, unified } from './error-answer.ts'

/** What the carrier checks; whatever is not given, any value is right. */
export interface AcceptedCredentials {
  key?: string
  secret?: string
  username?: string
  password?: string
}

/** Tokens, sessions and the lock, as the carrier keeps them. `scale()` shortens their lives. */
export const createSessions = (accepted: AcceptedCredentials, scale: () => number) => {
  let token: { value: string; endsAt: number } | null = null
  const sessions = new Map<string, number>()
  let failedLogins = 0

  const giveToken = (key: string, secret: string) => {
    if (!fits(accepted.key, key) || !fits(accepted.secret, secret)) return null
    // The same token until its hour is over [DOC] CRED.
    if (!token || Date.now() >= token.endsAt) {
      token = { value: randomUUID(), endsAt: Date.now() + 3_600_000 * scale() }
    }
    const secondsLeft = Math.max(1, Math.floor((token.endsAt - Date.now()) / 1000))
    return {
      access_token: token.value,
      scope: 'am_application_scope default',
      token_type: 'Bearer',
      expires_in: secondsLeft,
    }
  }

  const logIn = (username: string, password: string) => {
    // Five in a row lock the account until support unlocks it [DOC] LOGIN; the code is invented.
    if (failedLogins >= 5)
      throw new Refusal(unified('REQUEST_FAILED.UserLocked', 'REQUEST_FAILED. The user is locked', 401))
    if (!fits(accepted.username, username) || !fits(accepted.password, password)) {
      failedLogins++
      throw new Refusal(unified('REQUEST_FAILED.UsernamePassword', 'REQUEST_FAILED. Wrong username or password', 401))
    }
    failedLogins = 0
    const sessionToken = randomUUID()
    sessions.set(sessionToken, Date.now())
    return { sessionToken }
  }

  const checkToken = (authorization: string | undefined) => {
    const given = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1]
    if (given === undefined) throw new Refusal(gateway('900902', 'Missing Credentials'))
    if (!token || given !== token.value || Date.now() >= token.endsAt) {
      throw new Refusal(gateway('900901', 'Invalid Credentials'))
    }
  }

  const checkSession = (given: string | undefined, expire: boolean) => {
    const usedAt = given === undefined ? undefined : sessions.get(given)
    // Dies after 20 minutes unused [DOC] LOGIN, and once after 96 seconds [OBS].
    const alive = usedAt !== undefined && Date.now() - usedAt < 1_200_000 * scale() && !expire
    if (given === undefined || !alive) {
      if (given !== undefined) sessions.delete(given)
      throw new Refusal(
        unified('REQUEST_FAILED.SessionToken.Expired', 'REQUEST_FAILED. The session token expired', 401),
      )
    }
    sessions.set(given, Date.now())
  }

  return {
    giveToken,
    logIn,
    checkToken,
    checkSession,
    expireAll: () => {
      sessions.clear()
      token = null
    },
    unlock: () => {
      failedLogins = 0
    },
    state: () => ({ sessions: sessions.size, failedLogins, locked: failedLogins >= 5 }),
  }
}
export type Sessions = ReturnType<typeof createSessions>

const fits = (accepted: string | undefined, given: string) => accepted === undefined || accepted === given
