import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { requestId } from '../operating/request-id.ts'
import { ambiguityOf } from '../operating/strict-http.ts'

export interface RefuseEarlyOptions {
  /** Whether a callback that arrives now would wait in vain. */
  isFull: () => boolean
  /**
   * Whether a callback from that peer to that account and service may be told so. False for strangers, and whenever it
   * takes more than this to decide: then the route does.
   */
  mayKnow: (peer: string, accountName: string, serviceName: string) => boolean
  body: string
  onRefused: () => void
}

/**
 * Answers a callback that would wait in vain before it causes any of a route's costs: in a flood most are refused, and
 * the effort of refusing is taken from those that are let in. Whatever is not plainly such a callback goes the usual
 * way.
 */
export function refuseEarly(server: Server, options: RefuseEarlyOptions): void {
  const usual = server.listeners('request')
  const length = Buffer.byteLength(options.body)
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!isRefused(server, options, request)) {
      for (const handle of usual) handle.call(server, request, response)
      return
    }
    options.onRefused()
    response.writeHead(503, [
      'content-type',
      'application/json; charset=utf-8',
      'content-length',
      String(length),
      'retry-after',
      '1',
      'x-request-id',
      requestId(request),
    ])
    response.end(options.body)
  })
}

const callbackUrl = /^\/callbacks\/([A-Za-z0-9._-]{1,64})\/([A-Za-z0-9._-]{1,64})$/

function isRefused(server: Server, { isFull, mayKnow }: RefuseEarlyOptions, request: IncomingMessage): boolean {
  if (request.method !== 'POST' || !isFull() || !server.listening) return false
  const [, accountName, serviceName] = callbackUrl.exec(request.url ?? '') ?? []
  if (accountName === undefined || serviceName === undefined || isForwarded(request)) return false
  if (request.headers.expect !== undefined || ambiguityOf(request) !== undefined) return false
  return mayKnow(request.socket.remoteAddress ?? '', accountName, serviceName)
}

function isForwarded({ headers }: IncomingMessage): boolean {
  return headers['x-forwarded-for'] !== undefined
}
