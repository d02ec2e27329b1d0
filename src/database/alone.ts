import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** One piece of work that only one replica may do at a time: a number for the kind of work, a name for which one. */
export interface SoleWork {
  number: number
  name: string
  /** How long to wait for somebody else to finish. 0: not at all. */
  waitMs: number
}

export class SomebodyElseWorks extends Error {
  override name = 'SomebodyElseWorks'
}

const askEveryMs = 200

/**
 * Does the work while nobody else on this database does the same. Holds one connection of the pool for as long as the
 * work lasts, besides those that the work itself uses, and none while it waits. Should the process end or the link be
 * lost, the next one may begin.
 */
export async function alone<T>(db: Kysely<Tables>, { number, name, waitMs }: SoleWork, work: () => Promise<T>) {
  const until = Date.now() + waitMs
  const lock = sql`${sql.lit(number)}, hashtext(${name})`
  for (;;) {
    const outcome = await db.connection().execute(async (session): Promise<{ result: T } | null> => {
      const { rows } = await sql<{ taken: boolean }>`select pg_try_advisory_lock(${lock}) as taken`.execute(session)
      if (rows[0]?.taken !== true) return null
      try {
        return { result: await work() }
      } finally {
        // If the link was lost, the lock is free already.
        await sql`select pg_advisory_unlock(${lock})`.execute(session).catch(() => undefined)
      }
    })
    if (outcome !== null) return outcome.result
    if (Date.now() >= until) throw new SomebodyElseWorks('another process is at it; try again when it has finished')
    await sleep(askEveryMs)
  }
}
