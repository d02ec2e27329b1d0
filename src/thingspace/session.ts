import type { CarrierHost } from './call.ts'
import { beforeSending, CarrierError } from './carrier-error.ts'
import { type Credentials, logIn, loginCall, requestToken } from './login.ts'
import type { SessionStore, StoredSession } from './session-store.ts'

/** What a call carries: `Authorization: Bearer` and `VZ-M2M-Token`. */
export interface Pass {
  accessToken: string
  sessionToken: string
}

export interface Session {
  /** A pass that should be valid, from the store or by a login. */
  current(): Promise<Pass>
  /** A different pass from this one, which the carrier refused. */
  renew(refused: Pass): Promise<Pass>
  /**
   * Notes that the carrier has just accepted this pass. Never throws: the call that it belongs to has already happened.
   */
  used(pass: Pass): Promise<void>
  clearLatch(): Promise<void>
}

const loginsBeforeLatch = 2
const tokenMarginMs = 60_000
// A session dies after 20 minutes unused [DOC] LOGIN.
const sessionIdleMs = 18 * 60_000
const touchEveryMs = 60_000

const empty: StoredSession = {
  accessToken: null,
  tokenRenewAt: 0,
  tokenEndsAt: 0,
  sessionToken: null,
  sessionUsedAt: 0,
  refusedLogins: 0,
}

export const createSession = (
  host: CarrierHost,
  credentials: Credentials,
  store: SessionStore,
  now: () => number,
): Session => {
  let underWay: Promise<Pass> | null = null

  const load = async () => (await store.load()) ?? empty

  const pass = ({ accessToken, tokenRenewAt, sessionToken, sessionUsedAt }: StoredSession): Pass | null =>
    accessToken && sessionToken && now() < tokenRenewAt && now() - sessionUsedAt < sessionIdleMs
      ? { accessToken, sessionToken }
      : null

  const signIn = async (refused: Pass | null): Promise<Pass> => {
    const stored = await load()
    // Whoever held the lock before us may have done it, or have hit the latch.
    const usable = pass(stored)
    if (usable && usable.sessionToken !== refused?.sessionToken) return usable
    if (stored.refusedLogins >= loginsBeforeLatch) {
      throw new CarrierError({ kind: 'login-latched', during: 'session login', outcome: 'not-sent' })
    }
    try {
      const signedIn = await newSession(host, credentials, stored, refused !== null, now)
      await store.save(signedIn)
      return { accessToken: signedIn.accessToken, sessionToken: signedIn.sessionToken }
    } catch (error) {
      if (!(error instanceof CarrierError)) throw error
      if (!isRefused(error)) throw beforeSending(error)
      // Only for logins is it documented that five refused ones lock the account [DOC] LOGIN.
      if (error.during === loginCall) await store.save({ ...stored, refusedLogins: stored.refusedLogins + 1 })
      throw beforeSending(error, 'unauthorized')
    }
  }

  const signInOnce = (refused: Pass | null): Promise<Pass> => {
    underWay ??= store
      .alone(() => signIn(refused))
      .finally(() => {
        underWay = null
      })
    return underWay
  }

  return {
    current: async () => pass(await load()) ?? signInOnce(null),
    renew: async refused => {
      const renewed = await signInOnce(refused)
      // We may have joined a caller that only renewed the token.
      return renewed.sessionToken === refused.sessionToken ? signInOnce(refused) : renewed
    },
    used: async ({ sessionToken }) => {
      try {
        const { sessionUsedAt } = await load()
        if (now() - sessionUsedAt > touchEveryMs) await store.touch(sessionToken, now())
      } catch {
        // At worst somebody logs in once more than needed.
      }
    },
    clearLatch: () => store.alone(async () => store.save({ ...(await load()), refusedLogins: 0 })),
  }
}

/** Also with 200, if an error is inside: the carrier may count it all the same. */
const isRefused = ({ httpStatus, errorCode }: CarrierError): boolean =>
  httpStatus === 400 || httpStatus === 401 || httpStatus === 403 || (httpStatus === 200 && errorCode !== null)

interface SignedIn extends StoredSession {
  accessToken: string
  sessionToken: string
}

const newSession = async (
  host: CarrierHost,
  credentials: Credentials,
  stored: StoredSession,
  tokenInDoubt: boolean,
  now: () => number,
): Promise<SignedIn> => {
  const at = now()
  let token = keptToken(stored, at)
  if (!token || tokenInDoubt) token = await newToken(host, credentials, stored, at)
  // Only the token has expired: the session goes on.
  if (!tokenInDoubt && stored.sessionToken && at - stored.sessionUsedAt < sessionIdleMs) {
    return { ...stored, ...token, sessionToken: stored.sessionToken }
  }
  const sessionToken = await logIn(host, token.accessToken, credentials).catch(async error => {
    // A token from the store may have expired; then the carrier never looked at the user's password.
    if (!isGatewayRefusal(error) || token?.accessToken !== stored.accessToken || tokenInDoubt) throw error
    token = await newToken(host, credentials, stored, at)
    return logIn(host, token.accessToken, credentials)
  })
  return { ...token, sessionToken, sessionUsedAt: now(), refusedLogins: 0 }
}

interface KeptToken {
  accessToken: string
  tokenRenewAt: number
  tokenEndsAt: number
}

const keptToken = ({ accessToken, tokenRenewAt, tokenEndsAt }: StoredSession, at: number): KeptToken | null =>
  accessToken !== null && at < tokenRenewAt ? { accessToken, tokenRenewAt, tokenEndsAt } : null

const newToken = async (
  host: CarrierHost,
  credentials: Credentials,
  stored: StoredSession,
  at: number,
): Promise<KeptToken> => {
  const { accessToken, expiresInMs } = await requestToken(host, credentials)
  // It is the same token until its hour is over [DOC] CRED: asking again before that would be in vain.
  if (accessToken === stored.accessToken && at < stored.tokenEndsAt) {
    return { accessToken, tokenRenewAt: stored.tokenEndsAt, tokenEndsAt: stored.tokenEndsAt }
  }
  const tokenEndsAt = at + expiresInMs
  return { accessToken, tokenEndsAt, tokenRenewAt: tokenEndsAt - Math.min(tokenMarginMs, expiresInMs / 10) }
}

const isGatewayRefusal = (error: unknown): boolean =>
  error instanceof CarrierError && error.httpStatus === 401 && /^90090\d$/.test(error.errorCode ?? '')
