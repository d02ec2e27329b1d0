import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { isDatabaseAway, isNotMigrated, sqlState } from '../database/refusal.ts'
import { errorReply, HttpError } from './http-error.ts'
import { patternInWords } from './patterns.ts'

/** Every error in the one form. A 5xx reveals nothing of the inside; the log says where it came from. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode, message, headers, errorCode } = isEncoded(error, request) ? plain(415, encoded) : toAnswer(error)
  if (statusCode === 503) tellNowAndThen(request, error)
  else if (statusCode >= 500) request.log.error({ err: error, statusCode }, 'failed')
  reply
    .code(statusCode)
    .headers({ 'x-request-id': request.id, ...headers })
    .type('application/json; charset=utf-8')
  if (!request.raw.complete) answeredEarly.add(request.raw.socket)
  reply.serializer(JSON.stringify)
  reply.send({ errorCode: errorCode ?? String(statusCode), errorMessage: message })
}

const tellEveryMs = 1_000
let toldAt = Number.NEGATIVE_INFINITY
let untold = 0

/** Thousands may be refused each second, all for the same reason, just when there is the least time to log each one. */
export function tellNowAndThen({ log }: Pick<FastifyRequest, 'log'>, error: unknown): void {
  const now = performance.now()
  if (now - toldAt < tellEveryMs) {
    untold += 1
    return
  }
  log.warn({ err: error, untold }, 'not available')
  toldAt = now
  untold = 0
}

export function answerNotFound(_request: FastifyRequest, reply: FastifyReply): void {
  reply.code(404).send(errorReply(404, 'not found'))
}

/**
 * Connections on which a request was refused before it had fully arrived: a second answer would be taken for that of
 * another request.
 */
const answeredEarly = new WeakSet<Socket>()

/** For input that is not even a request: there is no reply to use, only the socket. */
export function answerUnreadableRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return
  if (answeredEarly.has(socket)) {
    socket.destroy()
    return
  }
  const [status, reason, message] = unreadable.get(error.code ?? '') ?? [400, 'Bad Request', 'not an HTTP request']
  const body = JSON.stringify(errorReply(status, message))
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${randomUUID()}\r\nconnection: close\r\n\r\n${body}`,
  )
}

const unreadable = new Map<string, [number, string, string]>([
  ['HPE_HEADER_OVERFLOW', [431, 'Request Header Fields Too Large', 'the headers are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'Request Timeout', 'the request took too long to arrive']],
])

interface Answer {
  statusCode: number
  message: string
  headers: Record<string, string>
  errorCode?: string
}

function toAnswer(error: unknown): Answer {
  if (error instanceof HttpError) {
    const { statusCode, message, headers, errorCode } = error
    const challenge: Record<string, string> = statusCode === 401 ? { 'www-authenticate': 'Bearer' } : {}
    return { statusCode, message, headers: { ...challenge, ...headers }, errorCode }
  }
  const { validation, validationContext, code, statusCode = 500 } = error as Partial<FastifyError>
  if (validation !== undefined) return plain(400, validationMessage(validation, validationContext))
  if (statusCode >= 400 && statusCode < 500)
    return plain(statusCode, frameworkMessages.get(code ?? '') ?? 'bad request')
  if (noText.has(sqlState(error) ?? '')) return plain(400, 'body: text must not hold the character U+0000')
  if (statusCode === 503 || isDatabaseAway(error) || isNotMigrated(error)) {
    return { ...plain(503, 'not available now; ask again'), headers: { 'retry-after': '1' } }
  }
  return plain(500, 'internal error; the log of the service has more under this x-request-id')
}

/** PostgreSQL's codes for text or json that contains U+0000. */
const noText = new Set(['22021', '22P05'])

function plain(statusCode: number, message: string): Answer {
  return { statusCode, message, headers: {} }
}

const encoded = 'send the body as it is, without Content-Encoding'

/** A client that compresses what it sends would look in vain for what is wrong with its JSON. */
function isEncoded(error: unknown, { headers }: FastifyRequest): boolean {
  const { code } = error as Partial<FastifyError>
  return code === 'FST_ERR_CTP_INVALID_JSON_BODY' && headers['content-encoding'] !== undefined
}

/** Fastify's own messages may quote what was sent. */
const frameworkMessages = new Map([
  ['FST_ERR_CTP_BODY_TOO_LARGE', 'the body is too large'],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'send the body as application/json'],
  ['FST_ERR_CTP_EMPTY_JSON_BODY', 'the body is empty'],
  ['FST_ERR_CTP_INVALID_JSON_BODY', 'the body is not valid JSON'],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 'the body is not as long as Content-Length says'],
  ['FST_ERR_BAD_URL', 'the URL is malformed'],
])

const places: Record<string, string> = { querystring: 'query parameter', params: 'path parameter', headers: 'header' }

/** Names the field and what it must be, but never its value. */
function validationMessage(validation: NonNullable<FastifyError['validation']>, context: string | undefined): string {
  const place = places[context ?? ''] ?? context ?? 'request'
  const [first] = validation
  const path = first?.instancePath.slice(1).replaceAll('/', '.') ?? ''
  const isTime = (first?.params as { format?: unknown } | undefined)?.format === 'date-time'
  // A time with an offset looks right and is not: its + arrives as a space.
  const hint = isTime && context === 'querystring' ? '; in a URL, + is written %2B' : ''
  return `${place}: ${problemOf(path, first)}${hint}`
}

function problemOf(path: string, error: NonNullable<FastifyError['validation']>[number] | undefined): string {
  const { requiredProperties } = (error?.params ?? {}) as { requiredProperties?: string[] }
  // TypeBox reports an unknown property as one whose schema is `false`.
  if (error?.keyword === 'boolean') return `${path} is not known`
  if (requiredProperties !== undefined) return `${[path, requiredProperties[0]].filter(Boolean).join('.')} is missing`
  return `${path} ${wordsOf(error)}`.trim()
}

function wordsOf(error: NonNullable<FastifyError['validation']>[number] | undefined): string {
  const { pattern, format, allowedValues } = (error?.params ?? {}) as {
    pattern?: unknown
    format?: unknown
    allowedValues?: unknown[]
  }
  if (format === 'date-time') return 'must be a time such as 2026-11-23T18:47:00.000Z'
  if (allowedValues !== undefined) return `must be one of ${allowedValues.join(', ')}`
  return patternInWords(pattern) ?? error?.message ?? 'is not valid'
}
