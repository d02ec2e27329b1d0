import { type Kysely, sql } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { Tables } from '../database/tables.ts'
import { type ActivationView, activationView, type TimeToCallback } from './activation-view.ts'
import type { FoundActivation } from './find-activation.ts'

export interface ActivationViews {
  one(db: Kysely<Tables>, found: FoundActivation): Promise<ActivationView>
  all(db: Kysely<Tables>, found: readonly FoundActivation[]): Promise<ActivationView[]>
}

interface Kept {
  /** Of the activation, which grows whenever a target hears for the first time. */
  version: number
  time: TimeToCallback | null
}

const mostKept = 10_000

/**
 * Activations as the API shows them. All of it stands in their rows but how long their targets waited, which is worked
 * out from up to 10,000 targets each: that is kept, and worked out anew only for those that have changed.
 */
export function createActivationViews(): ActivationViews {
  const kept = new LRUCache<string, Kept>({ max: mostKept })

  async function all(db: Kysely<Tables>, found: readonly FoundActivation[]): Promise<ActivationView[]> {
    const changed = found.filter(({ id, version }) => kept.get(id)?.version !== version)
    const worked = new Map<string, TimeToCallback | null>()
    for (const { id, version, time } of await timesToCallback(db, changed)) {
      worked.set(id, time)
      kept.set(id, { version, time })
    }
    return found.map(row => activationView(row, worked.get(row.id) ?? kept.get(row.id)?.time ?? null))
  }

  return {
    all,
    one: async (db, found) => (await all(db, [found]))[0] as ActivationView,
  }
}

/** Milliseconds from submission to each target's first callback or poll, in a few figures; with the version they are of. */
async function timesToCallback(
  db: Kysely<Tables>,
  activations: readonly Pick<FoundActivation, 'id'>[],
): Promise<(Kept & { id: string })[]> {
  if (activations.length === 0) return []
  const { rows } = await sql<Kept & { id: string }>`
    select a.id, a.version, (
      select case when count(*) > 0 then json_build_object(
          'p50', percentile_disc(0.5) within group (order by waited.ms),
          'p95', percentile_disc(0.95) within group (order by waited.ms),
          'max', max(waited.ms)) end
      from (
        select greatest(0, round(extract(epoch from t.first_result_at - a.submitted_at) * 1000))::bigint as ms
        from targets t where t.activation_id = a.id and t.first_result_at is not null
      ) waited
    ) as time
    from activations a where a.id = any(${activations.map(({ id }) => id)}::bigint[])`.execute(db)
  return rows
}
