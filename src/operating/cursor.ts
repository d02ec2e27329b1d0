import { createHmac, timingSafeEqual } from 'node:crypto'
import { HttpError } from './http-error.ts'

export type CursorKey = (string | number)[]

export interface Position {
  direction: 'after' | 'before'
  key: CursorKey
}

/**
 * Cursors are opaque and signed. The signature covers which list they belong to (route, filters, accounts), so that a
 * cursor of another list or another reader is refused instead of returning something subtly wrong.
 */
export interface Cursors {
  write(position: Position, listOf: unknown): string
  /** Throws 400 for a cursor that was changed, made up, or belongs to another list, and names where it stood. */
  read(cursor: string, listOf: unknown, where?: string): Position
}

const signatureBytes = 12

export function createCursors(key: () => Buffer | null): Cursors {
  const sign = (content: string, listOf: unknown): Buffer => {
    const known = key()
    if (known === null) throw new HttpError(503, 'not available now; ask again', { 'retry-after': '1' })
    return createHmac('sha256', known)
      .update(`${content}\n${JSON.stringify(listOf, inOrder)}`)
      .digest()
      .subarray(0, signatureBytes)
  }
  return {
    write({ direction, key }, listOf) {
      const content = JSON.stringify([direction === 'after' ? 1 : 0, ...key])
      return Buffer.concat([sign(content, listOf), Buffer.from(content)]).toString('base64url')
    },
    read(cursor, listOf, where = 'query parameter: cursor') {
      const bytes = Buffer.from(cursor, 'base64url')
      const content = bytes.subarray(signatureBytes).toString()
      const signature = bytes.subarray(0, signatureBytes)
      // Decoding ignores characters outside base64url, and bits that don't fill a byte.
      const isAsWritten = bytes.toString('base64url') === cursor && signature.length === signatureBytes
      if (!isAsWritten || !timingSafeEqual(signature, sign(content, listOf))) throw foreign(where)
      const [direction, ...position] = JSON.parse(content) as [number, ...CursorKey]
      return { direction: direction === 1 ? 'after' : 'before', key: position }
    },
  }
}

/** In which order somebody writes the filters of a list is no part of them. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}

function foreign(where: string): HttpError {
  return new HttpError(400, `${where} is not a cursor of this list; begin without it`)
}
