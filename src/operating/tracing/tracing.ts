import type { Logger } from 'pino'

/** The traces of the service, to whom they are kept off: see `start-tracing.ts` for what makes them. */
export interface Tracing {
  /** For the log lines of a request: the ids of the span that it is in, if any. */
  ids(): { traceId?: string; spanId?: string }
  /** Notes in which request's span a callback came. */
  remember(callback: object): void
  /** Does the work of one transaction in a span that continues the first callback's trace, and is linked with all. */
  transaction<T>(callbacks: readonly object[], work: () => Promise<T>): Promise<T>
  /** Where failures to hand over are told. */
  tellOf(log: Logger): void
  /** Hands over what is left, or gives it up soon. */
  stop(): Promise<void>
}
