import type pg from 'pg'
import { type Link, startLink } from '../faults/link.ts'
import { type OwnPostgres, type OwnPostgresOptions, startOwnPostgres } from '../faults/own-postgres.ts'
import { startInEarnest } from '../faults/stage.ts'
import type { ServerProcess } from '../fixtures/server-process.ts'

export interface Scenario {
  /** Names it on the command line. */
  key: string
  fault: string
  target: string
  run(context: Context): Promise<Outcome>
}

export interface Outcome {
  /** What was measured, in words. */
  measured: string
  reached: boolean
}

export interface Context {
  seed: number
  /** 1 is the whole of it; a tenth is good for trying it. */
  scale: number
  teardown(undo: () => unknown): void
}

export interface Place {
  postgres: OwnPostgres
  link: Link
  sql(text: string, values?: unknown[]): Promise<pg.QueryResultRow[]>
  start(env?: Record<string, string>): Promise<ServerProcess>
}

/** A PostgreSQL with durable settings, on the disk, and a link to it that the service goes by. */
export async function makePlace(context: Context, options: OwnPostgresOptions = {}): Promise<Place> {
  const postgres = await startOwnPostgres(context, options)
  const link = await startLink(postgres.url())
  context.teardown(() => link.stop())
  return {
    postgres,
    link,
    sql: postgres.sql,
    start: env => startInEarnest(context, link.url, { LOG_LEVEL: 'info', ...env }),
  }
}

/** At least this many, and as many as the scale says. */
export function times(context: Context, whole: number, least = 1): number {
  return Math.max(least, Math.round(whole * context.scale))
}

export function highest(values: readonly number[]): number {
  return Math.max(0, ...values)
}

/** The value that this share of them does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
