import { type Logger, pino } from 'pino'
import { describeError } from '../log.ts'

/** How often the service came to each verdict. */
export type Verdicts = Map<string, number>

/** The service's log: warnings and worse are handed on, of the rest only the verdicts are counted. */
export function createDemoLog(warn: (line: string) => void): { log: Logger; verdicts: Verdicts } {
  const verdicts: Verdicts = new Map()
  const write = (line: string) => {
    const { level, msg, verdict } = JSON.parse(line) as { level: string; msg?: string; verdict?: string }
    if (['warn', 'error', 'fatal'].includes(level)) warn(line.trimEnd())
    if (msg === 'callback' && verdict !== undefined) verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
  }
  const log = pino(
    {
      level: 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { err: describeError, error: describeError },
    },
    { write },
  )
  return { log, verdicts }
}
