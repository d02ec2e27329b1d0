import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'

/** 100 requests a minute [DOC] activate-devices, and a second for the way there, which is not always as long. */
const window = sql`interval '61 seconds'`

/**
 * Takes the slot that is free first, and returns for how many milliseconds to wait until it is. There are as many slots
 * as requests in a window, and each is used once in any window, on whatever replica: so the pace holds at all times,
 * and not only from one full minute to the next.
 */
export async function takeSlot(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ wait: number }>`
    update carrier_slots s set free_at = greatest(s.free_at, clock_timestamp()) + ${window}
    where s.slot = (select slot from carrier_slots order by free_at, slot limit 1 for update skip locked)
    returning greatest(0, ceil(extract(epoch from s.free_at - ${window} - clock_timestamp()) * 1000))::int as wait
    `.execute(db)
  // All slots are being taken by others at this moment.
  return rows[0]?.wait ?? 61_000
}
