import { AssertionError } from 'node:assert'

/**
 * Thrown inside a transaction that ran into another one's work: nothing is wrong, it starts over and sees that work.
 */
export class StartOver extends Error {
  override name = 'StartOver'
}

/** What a failed transaction means for its caller. */
export type Refusal =
  /** Nothing is wrong with the work: another try may succeed at once. */
  | 'try-again'
  /** The server or the link to it is in trouble: another try needs another connection. */
  | 'unavailable'
  /** The server hit an internal fault. Another try needs another connection; or it is this content that provokes it. */
  | 'unwell'
  /** A lock or a statement took too long: somebody holds one of the rows. */
  | 'held'
  /** The database will never take this content, however often it is tried. */
  | 'refused'

const ourFaults = [TypeError, RangeError, ReferenceError, SyntaxError, AssertionError]
export const uniqueViolation = '23505'
const tryAgain = new Set(['40001', '40P01', uniqueViolation])
const held = new Set(['55P03', '57014'])
/** An internal error, damaged data, a file that can't be read. */
const unwell = /^(XX|58)/
/** Data exception, violated constraint, program limit, an exception raised by a trigger: what the content causes. */
const refused = /^(21|22|23|54|P0)/

/**
 * Sorts an error by its SQLSTATE. One without a SQLSTATE comes from the link, since the server never answered, unless
 * it is a fault in our own code, which the same content would hit again.
 */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof StartOver) return 'try-again'
  if (ourFaults.some(kind => error instanceof kind)) return 'refused'
  const code = sqlState(error)
  if (code === null) return 'unavailable'
  if (tryAgain.has(code)) return 'try-again'
  if (held.has(code)) return 'held'
  if (unwell.test(code)) return 'unwell'
  return refused.test(code) ? 'refused' : 'unavailable'
}

export function sqlState(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null
  // Every SQLSTATE contains a digit; EPIPE and the like do not.
  return typeof error.code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(error.code) ? error.code : null
}

/** Connection, authorization, no such database, resources, not in the required state, operator intervention, system. */
const away = /^(08|25|28|3D|53|55|57|58|XX)/

/** True when an error means that the database is away or overloaded, and not that the request is at fault. */
export function isDatabaseAway(error: unknown): boolean {
  const code = sqlState(error)
  if (code !== null) return away.test(code) || tryAgain.has(code) || held.has(code) || isStalePlan(error)
  return driverProblem(error) !== null
}

/** True when there is no such table, column or function: it has not been migrated yet, and somebody may be about to. */
export function isNotMigrated(error: unknown): boolean {
  return ['42P01', '42703', '42883'].includes(sqlState(error) ?? '')
}

/**
 * After these a connection is useless, though it may look alive: the server became read-only (a demoted primary), is
 * shutting down or starting, has no connections left, can't use its files or hit an internal fault, or nothing arrives
 * any more. A full disk (53100) is not among them: the server says so, rolls back, and its connections stay good.
 */
const deadly = /^(08|25006|57P0[123]|53300|58030|XX000)/

export function costsConnection(error: unknown): boolean {
  const code = sqlState(error)
  return code === null ? isLinkSilent(error) : deadly.test(code)
}

/** The driver's messages for a query whose answer never came. */
export function isLinkSilent(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout'
}

/** True when the connection ended in the middle of the work without a word from the server, as when it crashes. */
export function isCutOff(error: unknown): boolean {
  const problem = sqlState(error) === null ? driverProblem(error) : null
  return problem !== null && cutOff.has(problem)
}

const cutOff = new Set(['Connection terminated', 'ECONNRESET', 'EPIPE'])

/**
 * What the server says before it ends a connection that is not at fault: it is shutting down at once, or the process of
 * another connection has crashed.
 */
export const endedByServer = new Set(['57P01', '57P02'])

/**
 * True when a prepared statement now returns other columns, because a newer version has changed a table. The driver
 * would use the old plan for as long as the connection lives.
 */
export function isStalePlan(error: unknown): boolean {
  return sqlState(error) === '0A000' && (error as { routine?: unknown }).routine === 'RevalidateCachedQuery'
}

/** Problems of the link that the driver reports with a constant message, or the operating system with a code. */
export function driverProblem(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && linkCodes.has(code)) return code
  return driverMessages.find(message => error.message.startsWith(message)) ?? null
}

const linkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  // This process has no handle left for a connection.
  'EMFILE',
  'ENFILE',
])
const driverMessages = [
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed',
  'Query read timeout',
  'Cannot use a pool after calling end on the pool',
]
