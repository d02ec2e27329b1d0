import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'

/** 100 requests a minute [DOC] activate-devices, plus a second for the way there, whose length varies. */
const window = sql`interval '61 seconds'`

/** An arbitrary number, the same for everybody who takes a slot. */
const paceLock = 7_202_612

/**
 * Takes the slot that is free first, and returns how many milliseconds to wait until it is. There are as many slots as
 * requests in a window, and each is used once per window, on whatever replica: so the pace holds over any minute, not
 * just over each calendar minute.
 */
export async function takeSlot(db: Kysely<Tables>): Promise<number> {
  // Without the lock, two callers would see the same slot as free, and the second would then have to wait a minute for
  // it.
  await sql`select pg_advisory_xact_lock(${paceLock})`.execute(db)
  const { rows } = await sql<{ wait: number }>`
    update carrier_slots s set free_at = greatest(s.free_at, clock_timestamp()) + ${window}
    where s.slot = (select slot from carrier_slots order by free_at, slot limit 1)
    returning greatest(0, ceil(extract(epoch from s.free_at - ${window} - clock_timestamp()) * 1000))::int as wait
    `.execute(db)
  const [slot] = rows
  if (slot === undefined) throw new Error('the slots of the carrier are missing')
  return slot.wait
}
