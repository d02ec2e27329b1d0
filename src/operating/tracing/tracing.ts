import type { Logger } from 'pino'

/** Tracing as the rest of the service sees it; `start-tracing.ts` implements it. */
export interface Tracing {
  /** For the log lines of a request: the ids of the span that it belongs to, if any. */
  ids(): { traceId?: string; spanId?: string }
  /** Remembers in which request's span a callback arrived. */
  remember(callback: object): void
  /**
   * Does the work of one transaction in a span that continues the first callback's trace and is linked to all of them.
   */
  transaction<T>(callbacks: readonly object[], work: () => Promise<T>): Promise<T>
  /** Where failures to export are logged. */
  tellOf(log: Logger): void
  /** Exports what is left, or soon gives up. */
  stop(): Promise<void>
}
