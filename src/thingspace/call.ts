import { CarrierError, type CarrierErrorKind, type CarrierOutcome } from './carrier-error.ts'
import { type ExchangeAnswer, exchange } from './exchange.ts'
import { type ErrorBody, readErrorBody } from './read-error-body.ts'

/** The one host that is ever called, and the limits of every call. */
export interface CarrierHost {
  baseUrl: string
  timeoutMs: number
  maxAnswerBytes: number
  /** Values that no error may contain, even if the carrier's answer repeats them. */
  secrets: readonly string[]
}

export interface CarrierCall {
  during: string
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  headers: Record<string, string>
  body?: string
  /** Further values that no error may contain. */
  secrets?: readonly string[]
}

/** A compiled TypeBox schema, as far as it is needed here. */
export interface AnswerSchema<T> {
  Check(value: unknown): value is T
}

/** Calls the carrier. Returns the answer if it fits the schema, otherwise throws a CarrierError. */
export const call = async <T>(host: CarrierHost, request: CarrierCall, schema: AnswerSchema<T>): Promise<T> => {
  const { timeoutMs, maxAnswerBytes } = host
  const { path, secrets: _, ...rest } = request
  const answer = await exchange({ ...rest, url: host.baseUrl + path, timeoutMs, maxAnswerBytes })
  if (answer.status >= 400) throw refusal(host, request, answer)
  const value = parse(answer.text)
  if (schema.Check(value)) return value
  throw new CarrierError({
    kind: 'bad-answer',
    during: request.during,
    outcome: 'unknown',
    httpStatus: answer.status,
    ...carrierWords(host, request, answer),
    reason: value === undefined ? 'not JSON' : 'of another shape',
  })
}

/** A configured base URL: http(s), without credentials, query or fragment. */
export const readBaseUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new Error('The ThingSpace base URL must be http(s)://host[:port], without credentials, query or fragment')
  }
  return url.href.replace(/\/+$/, '')
}

/** One step of a path. A name of dots would climb out of it. */
export const pathStep = (name: string): string => {
  if (name === '' || /^\.{1,2}$/.test(name)) throw new RangeError('a name in a ThingSpace path is empty or only dots')
  return encodeURIComponent(name)
}

const parse = (text: string): unknown => {
  if (text.trim() === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const refusal = (host: CarrierHost, request: CarrierCall, answer: ExchangeAnswer): CarrierError => {
  const said = carrierWords(host, request, answer)
  return new CarrierError({
    ...meaning(answer.status, said.errorCode),
    ...said,
    during: request.during,
    httpStatus: answer.status,
    retryAfterMs: answer.retryAfterMs,
  })
}

const carrierWords = (host: CarrierHost, request: CarrierCall, answer: ExchangeAnswer): ErrorBody => {
  const said = readErrorBody(answer.text)
  const secrets = [...host.secrets, ...(request.secrets ?? []), ...Object.values(secretHeaders(request.headers))]
  return { errorCode: without(secrets, said.errorCode), errorMessage: without(secrets, said.errorMessage) }
}

const meaning = (status: number, code: string | null): { kind: CarrierErrorKind; outcome: CarrierOutcome } => {
  if (status === 401 || isSessionFault(code)) return { kind: 'unauthorized', outcome: 'refused' }
  if (status === 429) return { kind: 'rate-limited', outcome: 'refused' }
  if (status === 408) return { kind: 'timeout', outcome: 'unknown' }
  // A gateway that gave up may have forwarded the request.
  if (status >= 500) return { kind: 'unreachable', outcome: 'unknown' }
  return { kind: 'refused', outcome: 'refused' }
}

/** REQUEST_FAILED.SessionToken.Expired, INPUT_INVALID.SessionToken.Invalid [3P]; 900901-900903 are the gateway's [DOC]. */
const isSessionFault = (code: string | null): boolean => code !== null && /\bSessionToken\b|^90090[123]$/.test(code)

const secretHeaders = ({ authorization = '', 'vz-m2m-token': session = '' }: Record<string, string>): string[] => [
  authorization.replace(/^\w+ /, ''),
  session,
]

const without = (secrets: readonly string[], text: string | null): string | null =>
  secrets.reduce((kept, secret) => (secret.length < 4 ? kept : (kept?.replaceAll(secret, '[removed]') ?? null)), text)
