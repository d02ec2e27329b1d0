import type { IncomingMessage, Server } from 'node:http'
import { HttpError } from './http-error.ts'

export interface HttpLimits {
  /** Milliseconds that a request may take to arrive. */
  requestTimeout: number
  /** Bytes of all headers of a request. */
  maxHeaderSize: number
  /** Connections at once; further ones are closed unanswered. */
  maxConnections: number
}

/** Options for Node's own server, which by default checks only every half minute for requests that take too long. */
export function serverOptions({ requestTimeout, maxHeaderSize }: HttpLimits) {
  return {
    // Node would answer that in its own way: see below.
    requireHostHeader: false,
    maxHeaderSize,
    requestTimeout,
    headersTimeout: requestTimeout,
    connectionsCheckingInterval: Math.min(1_000, Math.ceil(requestTimeout / 4)),
  }
}

/**
 * Why a request is refused that Node accepts and proxies don't: where two programs may read a request differently,
 * another one can be smuggled past. undefined when there is nothing wrong. The answer ends the connection, since nobody
 * knows where the next request begins.
 */
export function ambiguityOf({ rawHeaders, headers, httpVersion }: IncomingMessage): HttpError | undefined {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  if (hosts > 1) return ambiguous('one Host header, not two')
  if (hosts === 0 && httpVersion === '1.1') return ambiguous('a Host header is missing')
  if (headers['transfer-encoding'] !== undefined && httpVersion !== '1.1') {
    return ambiguous('Transfer-Encoding needs HTTP/1.1')
  }
  return undefined
}

/** Node would refuse a request that expects what it does not know, in its own way; but it may as well be answered. */
export function passOverExpectations(server: Server): void {
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
}

function ambiguous(message: string): HttpError {
  return new HttpError(400, message, { connection: 'close' })
}
