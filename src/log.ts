import { type Logger, pino } from 'pino'
import { driverProblem, sqlState } from './database/refusal.ts'

export interface LogOptions {
  traceIds?: (() => object) | undefined
  worker?: number | null
}

/** Bytes: PIPE_BUF of Linux. */
const pipeAtOnce = 4_096

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
    pino.destination({ fd: 1, sync: false, ...(worker === null ? {} : { maxWrite: pipeAtOnce }) }),
  )
}

/**
 * What a log line may contain of an error. An allow-list: messages from PostgreSQL and from parsers quote the very
 * values that must not be logged, and so do `detail` and `where`.
 */
export function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error }
  const { constraint, table } = error as { constraint?: string; table?: string }
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  return { name: error.name, code: errorCode(error), constraint, table, at: whereFrom(error), ...cause }
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
