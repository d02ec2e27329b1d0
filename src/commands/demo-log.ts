import { type Logger, pino } from 'pino'
import { describeError } from '../log.ts'

/** The service's log, warnings and worse only, so that it does not drown out the story. */
export function createDemoLog(warn: (line: string) => void): Logger {
  return pino(
    {
      level: 'warn',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { err: describeError, error: describeError },
    },
    { write: line => warn(line.trimEnd()) },
  )
}
