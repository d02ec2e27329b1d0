import type { IncomingMessage } from 'node:http'
import { HttpError } from './http-error.ts'

export interface HttpLimits {
  /** Milliseconds that a request may take to arrive. */
  requestTimeout: number
  /** Bytes of all headers of a request. */
  maxHeaderSize: number
  /** Connections at once; further ones are closed unanswered. */
  maxConnections: number
}

/** What Node's own server is told: it looks for requests that take too long only every half minute by itself. */
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
 * Refuses what Node takes and proxies refuse: where two programs may read a request differently, one can be smuggled
 * past the other. The connection ends with the answer, since nobody knows where the next request begins.
 */
export function refuseAmbiguous({ rawHeaders, headers, httpVersion }: IncomingMessage): void {
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length
  if (hosts > 1) throw ambiguous('one Host header, not two')
  if (hosts === 0 && httpVersion === '1.1') throw ambiguous('a Host header is missing')
  if (headers['transfer-encoding'] !== undefined && httpVersion !== '1.1') {
    throw ambiguous('Transfer-Encoding needs HTTP/1.1')
  }
}

function ambiguous(message: string): HttpError {
  return new HttpError(400, message, { connection: 'close' })
}
