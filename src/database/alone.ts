import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** What one worker of all replicas may do at a time: a number for the kind of work, a name for which one. */
export interface SoleWork {
  number: number
  name: string
  /** How long to wait for another one to finish. 0: not at all. */
  waitMs: number
}

export class SomebodyElseWorks extends Error {
  override name = 'SomebodyElseWorks'
}

const askEveryMs = 200

/**
 * Does the work while nobody else on this database does the same. Takes a connection of the pool for as long as the
 * work lasts, beside those that the work itself uses; while it waits it takes none. Should the process end or the link
 * be lost, the next one may begin.
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
        // On a lost link it is free already.
        await sql`select pg_advisory_unlock(${lock})`.execute(session).catch(() => undefined)
      }
    })
    if (outcome !== null) return outcome.result
    if (Date.now() >= until) throw new SomebodyElseWorks('another process is at it; try again when it has finished')
    await sleep(askEveryMs)
  }
}
