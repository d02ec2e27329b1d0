import { CarrierError, type CarrierErrorFacts } from './carrier-error.ts'

export interface ExchangeRequest {
  during: string
  method: 'GET' | 'POST' | 'DELETE'
  url: string
  headers: Record<string, string>
  body?: string
  timeoutMs: number
  maxAnswerBytes: number
}

export interface ExchangeAnswer {
  status: number
  text: string
  retryAfterMs: number | null
}

/**
 * One request and its whole answer, limited in time and size.
 *
 * Promises an answer of any status but a redirect, else throws a CarrierError that says whether the request may have
 * been taken. Errors keep a socket error's code and nothing else of it, since a library's text may quote a header.
 */
export const exchange = async (request: ExchangeRequest): Promise<ExchangeAnswer> => {
  const { during, method, url, headers, body } = request
  const hangUp = new AbortController()
  const signal = AbortSignal.any([hangUp.signal, AbortSignal.timeout(request.timeoutMs)])
  let response: Response
  try {
    response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal,
      ...(body === undefined ? {} : { body }),
    })
  } catch (error) {
    throw brokenOff(during, error)
  }
  const { status } = response
  if (status >= 300 && status < 400) {
    hangUp.abort()
    // Redirects are not followed: the token would go along.
    throw new CarrierError({ kind: 'bad-answer', during, outcome: 'unknown', httpStatus: status, reason: 'a redirect' })
  }
  try {
    const text = await readWithin(response, request.maxAnswerBytes)
    return { status, text, retryAfterMs: retryAfter(response.headers) }
  } catch (error) {
    hangUp.abort()
    // A refusal is a refusal whatever its body.
    if (status >= 400) return { status, text: '', retryAfterMs: retryAfter(response.headers) }
    if (error === tooLarge) {
      throw new CarrierError({
        kind: 'bad-answer',
        during,
        outcome: 'unknown',
        httpStatus: status,
        reason: 'too large',
      })
    }
    throw brokenOff(during, error, status)
  }
}

const tooLarge = new Error('too large')

const readWithin = async (response: Response, limit: number): Promise<string> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > limit) throw tooLarge
    chunks.push(chunk)
  }
  // Without a byte-order mark.
  return new TextDecoder().decode(Buffer.concat(chunks))
}

const longestRetryAfterMs = 3_600_000

/** At most an hour: one header must not keep us from asking for days. A date is compared with the answer's own. */
const retryAfter = (headers: Headers): number | null => {
  const header = headers.get('retry-after') ?? ''
  const ms = /^\d{1,9}$/.test(header)
    ? Number(header) * 1000
    : dateIn(header) - (dateIn(headers.get('date') ?? '') || Date.now())
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), longestRetryAfterMs)
}

const dateIn = (header: string): number => (header.endsWith(' GMT') ? Date.parse(header) : Number.NaN)

const brokenOff = (during: string, error: unknown, httpStatus: number | null = null): CarrierError => {
  const reason = codeOf(error)
  const facts: Omit<CarrierErrorFacts, 'kind' | 'outcome'> = { during, httpStatus, reason }
  if (isTimeout(error)) return new CarrierError({ ...facts, kind: 'timeout', outcome: 'unknown' })
  if (reason === 'UND_ERR_CONNECT_TIMEOUT') return new CarrierError({ ...facts, kind: 'timeout', outcome: 'not-sent' })
  if (innermost(error).name === 'HTTPParserError') {
    return new CarrierError({ ...facts, kind: 'bad-answer', outcome: 'unknown', reason: 'not HTTP' })
  }
  const outcome = httpStatus === null && neverConnected(error) ? 'not-sent' : 'unknown'
  return new CarrierError({ ...facts, kind: 'unreachable', outcome })
}

interface SocketError {
  name?: string
  code?: unknown
  syscall?: unknown
  cause?: SocketError
  errors?: SocketError[]
}

const innermost = (error: unknown): SocketError => {
  const outer = (error ?? {}) as SocketError
  const inner = outer.cause ?? outer
  return inner.errors?.[0] ?? inner
}

const isTimeout = (error: unknown): boolean =>
  (error as SocketError).name === 'TimeoutError' || innermost(error).name === 'TimeoutError'

const codeOf = (error: unknown): string | null => {
  const { code } = innermost(error)
  return typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code) ? code : null
}

/** Failures that can only come before the first byte of a request: no address, no connection, no trusted certificate. */
const neverConnected = (error: unknown): boolean => {
  const code = codeOf(error) ?? ''
  if (innermost(error).syscall === 'connect') return true
  return (
    ['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'DEPTH_ZERO_SELF_SIGNED_CERT'].includes(code) ||
    /^(CERT_|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS_CERT_|ERR_SSL_WRONG_VERSION)/.test(code)
  )
}
