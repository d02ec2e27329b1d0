import { type Logger, pino } from 'pino'
import { driverProblem, sqlState } from './database/refusal.ts'
import type { CarrierError } from './thingspace/carrier-error.ts'

export interface LogOptions {
  traceIds?: (() => object) | undefined
  worker?: number | null
}

/** Bytes: PIPE_BUF of Linux. */
const pipeAtOnce = 4_096
/** Characters of lines that nobody has taken yet. */
const mostWaiting = 16 * 2 ** 20

/**
 * One JSON object a line on standard output. Written behind the work's back, or every callback would wait for the pipe;
 * what is left is written when the process exits. `traceIds` is added to each line, and the number of a worker, which
 * shares the pipe with others: what is written at once stays whole up to the size that a pipe promises.
 */
export function createLog(level: string, { traceIds, worker = null }: LogOptions = {}): Logger {
  return pino(
    {
      level,
      ...(traceIds === undefined ? {} : { mixin: traceIds }),
      base: worker === null ? null : { worker },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { err: describeError, error: describeError },
    },
    standardOutput(worker === null ? {} : { maxWrite: pipeAtOnce }),
  )
}

/**
 * One that can't be written, as on a full disk, costs lines and nothing else: what waits goes out when it is taken
 * again, and what is more than may wait is lost.
 */
function standardOutput(options: { maxWrite?: number }) {
  const output = pino.destination({ fd: 1, sync: false, maxLength: mostWaiting, ...options })
  let isTaken = true
  output.on('error', () => {
    isTaken = false
  })
  output.on('write', () => {
    isTaken = true
  })
  // At the exit it would be tried for ever, and the process never end.
  const flush = output.flushSync.bind(output)
  output.flushSync = () => {
    if (isTaken) flush()
  }
  return output
}

/**
 * What a log line may contain of an error. An allow-list: messages from PostgreSQL and from parsers quote the very
 * values that must not be logged, and so do `detail` and `where`.
 */
export function describeError(thrown: unknown): object {
  const error = isCopyOfError(thrown) ? Object.assign(new Error(thrown.message), thrown) : thrown
  if (!(error instanceof Error)) return { name: typeof error }
  const { constraint, table } = error as { constraint?: string; table?: string }
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  const told = { name: error.name, code: errorCode(error), constraint, table, ...carrierProblem(error) }
  return { ...told, at: whereFrom(error), ...cause }
}

/** The job library hands on the fields of an error, which make none. */
function isCopyOfError(thrown: unknown): thrown is { message: string; stack: string } {
  if (typeof thrown !== 'object' || thrown === null || thrown instanceof Error) return false
  const { message, stack } = thrown as { message?: unknown; stack?: unknown }
  return typeof message === 'string' && typeof stack === 'string'
}

/** Told by its name, since a copy of one is none. These words are all ours; its `errorCode` is the carrier's. */
function carrierProblem(error: Error): object {
  if (error.name !== 'CarrierError') return {}
  const { kind, during, httpStatus, reason } = error as Partial<CarrierError>
  return { kind, during, httpStatus, reason }
}

function errorCode(error: Error): string | undefined {
  const { code } = error as { code?: unknown }
  return (
    sqlState(error) ??
    driverProblem(error) ??
    (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : undefined)
  )
}

/** Our own stack frames only. A stack starts with the message, whose lines may look like frames. */
function whereFrom({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message)
  const lines = start < 0 ? [] : stack.slice(start + message.length).split('\n')
  const frames = lines.filter(line => /^\s+at .*[/\\]src[/\\]/.test(line))
  return frames.slice(0, 4).map(frame =>
    frame
      .trim()
      .replace(/^at /, '')
      .replace(/file:\/\/\S*?[/\\]src[/\\]/, 'src/'),
  )
}
