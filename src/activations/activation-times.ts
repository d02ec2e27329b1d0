import { type Kysely, sql } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { Tables } from '../database/tables.ts'
import type { TimeToCallback } from './activation-view.ts'
import { type FoundActivation, shown } from './find-activation.ts'

/** With how long its targets waited. */
export interface TimedActivation extends FoundActivation {
  /** Of its own version, or of a later one that was there already when it was worked out. */
  time: TimeToCallback | null
}

export interface ActivationTimes {
  /** As it was found, or, when it changed before its time was worked out, as it was then. */
  one(db: Kysely<Tables>, found: FoundActivation): Promise<TimedActivation>
  /** As they were found: a list has been filtered by what they were. */
  all(db: Kysely<Tables>, found: readonly FoundActivation[]): Promise<TimedActivation[]>
}

interface Kept {
  /** Of the activation, which grows whenever a target hears for the first time. */
  version: number
  time: TimeToCallback | null
}

const mostKept = 10_000
/** Targets that one statement goes through: a page may list a hundred bulks, and none may take longer than it is given. */
const targetsAtOnce = 50_000

/**
 * What the API shows of activations beside their rows: how long their targets waited, which is worked out from up to
 * 10,000 targets each. That is kept, and worked out anew only for those that have changed.
 */
export function createActivationTimes(): ActivationTimes {
  const kept = new LRUCache<string, Kept>({ max: mostKept })

  async function workOut(db: Kysely<Tables>, found: readonly FoundActivation[]): Promise<Map<string, TimedActivation>> {
    const changed = found.filter(({ id, version }) => kept.get(id)?.version !== version)
    const all = new Map<string, TimedActivation>()
    for (const some of parts(changed)) {
      for (const row of await timesToCallback(db, some)) {
        kept.set(row.id, { version: row.version, time: row.time })
        all.set(row.id, row)
      }
    }
    return all
  }

  function asFound(row: FoundActivation, worked?: TimedActivation): TimedActivation {
    const { time } = worked ?? kept.get(row.id) ?? { time: null }
    return { ...row, time }
  }

  return {
    async one(db, found) {
      return (await workOut(db, [found])).get(found.id) ?? asFound(found)
    },
    async all(db, found) {
      const worked = await workOut(db, found)
      return found.map(row => asFound(row, worked.get(row.id)))
    },
  }
}

function parts(activations: readonly FoundActivation[]): FoundActivation[][] {
  const all: FoundActivation[][] = []
  let room = 0
  for (const activation of activations) {
    if (activation.targets > room || all.length === 0) {
      all.push([])
      room = targetsAtOnce
    }
    all.at(-1)?.push(activation)
    room -= activation.targets
  }
  return all
}

/** Milliseconds from submission to each target's first callback or poll, in a few figures; with the row of that moment. */
async function timesToCallback(
  db: Kysely<Tables>,
  activations: readonly Pick<FoundActivation, 'id'>[],
): Promise<(FoundActivation & Pick<TimedActivation, 'time'>)[]> {
  if (activations.length === 0) return []
  const { rows } = await sql<FoundActivation & Pick<TimedActivation, 'time'>>`
    ${shown}, (
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
