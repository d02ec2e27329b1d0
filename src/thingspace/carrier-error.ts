/** Whether the carrier may have taken the request that was asked for. */
export type CarrierOutcome = 'not-sent' | 'refused' | 'unknown'

/**
 * - `refused`: ThingSpace answered, and will not do it
 * - `unauthorized`: it would not accept our token, session or login, not even after a renewal
 * - `login-latched`: two logins were refused, so none was tried; a person must clear it
 * - `unreachable`: no connection, a broken one, or a 5xx
 * - `timeout`, `rate-limited`: as they say
 * - `bad-answer`: a redirect, too large, not JSON, or of another shape
 */
export type CarrierErrorKind =
  | 'refused'
  | 'unauthorized'
  | 'login-latched'
  | 'unreachable'
  | 'timeout'
  | 'bad-answer'
  | 'rate-limited'

export interface CarrierErrorFacts {
  kind: CarrierErrorKind
  /** What was being done, e.g. `activate` or `session login`. */
  during: string
  outcome: CarrierOutcome
  httpStatus?: number | null
  errorCode?: string | null
  errorMessage?: string | null
  /** A short reason of our own: a socket error's code, or what was wrong with the answer. */
  reason?: string | null
  retryAfterMs?: number | null
}

/**
 * Everything that can go wrong with a call to ThingSpace.
 *
 * `message` is safe to log: it holds no secret, no identifier and none of the carrier's free text.
 * `errorMessage` is that free text (our secrets cut out, at most 500 characters), meant for the caller.
 */
export class CarrierError extends Error {
  readonly kind: CarrierErrorKind
  readonly during: string
  readonly outcome: CarrierOutcome
  readonly httpStatus: number | null
  readonly errorCode: string | null
  readonly errorMessage: string | null
  readonly reason: string | null
  readonly retryAfterMs: number | null

  constructor(facts: CarrierErrorFacts) {
    super(sentence(facts))
    this.name = 'CarrierError'
    this.kind = facts.kind
    this.during = facts.during
    this.outcome = facts.outcome
    this.httpStatus = facts.httpStatus ?? null
    this.errorCode = facts.errorCode ?? null
    this.errorMessage = facts.errorMessage ?? null
    this.reason = facts.reason ?? null
    this.retryAfterMs = facts.retryAfterMs ?? null
  }
}

/** The same error from the point of view of a caller whose own request never left. */
export const beforeSending = (error: CarrierError, kind: CarrierErrorKind = error.kind): CarrierError =>
  new CarrierError({ ...error, kind, outcome: 'not-sent' })

const words: Record<CarrierErrorKind, string> = {
  refused: 'was refused',
  unauthorized: 'was not authorized',
  'login-latched':
    'was not tried: two ThingSpace logins were refused, and five lock the account; check the credentials, then clear the latch',
  unreachable: 'did not get through',
  timeout: 'took too long',
  'bad-answer': 'got an answer that cannot be used',
  'rate-limited': 'was refused for its rate',
}

const sentence = (facts: CarrierErrorFacts): string => {
  const details = [facts.httpStatus, facts.errorCode, facts.reason].filter(detail => detail != null)
  return `ThingSpace ${facts.during} ${words[facts.kind]}${details.length > 0 ? ` (${details.join(', ')})` : ''}`
}
