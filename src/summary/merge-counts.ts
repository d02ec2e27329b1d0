import { sql } from 'kysely'
import type { Database } from '../database/pool.ts'

/**
 * Merges the rows of each count into one, so that reading them stays cheap however much is written. Each statement
 * removes rows and inserts their sum at once: no reader sees a count in between, and of two replicas that do it at the
 * same time, each merges what the other one has left.
 */
export async function mergeCounts(db: Database): Promise<void> {
  const merged = [await mergeProfiles(db), await mergeActivations(db), await mergeCallbacks(db)]
  // Otherwise readers who sum up that count would go through the removed rows until autovacuum clears them.
  if (merged.some(({ numAffectedRows = 0n }) => numAffectedRows > 0n)) {
    await sql`vacuum (skip_locked) profile_counts, activation_counts, callback_counts`.execute(db)
  }
}

function mergeProfiles(db: Database) {
  return sql`
    with taken as (
      delete from profile_counts where ctid = any(array(
        select place from (select ctid as place, count(*) over (partition by group_id) as rows from profile_counts) c
        where rows > 1))
      returning *)
    insert into profile_counts
    select group_id, account_name, state, profile_status, profile_role, service_plan, result, sum(profiles)
    from taken group by 1, 2, 3, 4, 5, 6, 7 having sum(profiles) <> 0`.execute(db)
}

function mergeActivations(db: Database) {
  return sql`
    with taken as (
      delete from activation_counts where ctid = any(array(
        select place from (select ctid as place, count(*) over (partition by group_id) as rows from activation_counts) c
        where rows > 1))
      returning *)
    insert into activation_counts
    select group_id, account_name, operation, status, overdue, sum(activations)
    from taken group by 1, 2, 3, 4, 5 having sum(activations) <> 0`.execute(db)
}

/**
 * Minutes that nobody asks about any more are merged into one. The others of a group stay as they are: usually only the
 * one that goes on has several rows.
 */
function mergeCallbacks(db: Database) {
  return sql`
    with taken as (
      delete from callback_counts where ctid = any(array(
        select place from (
          select ctid as place, minute, count(*) over (partition by group_id, minute) as rows from callback_counts
        ) c
        where rows > 1 or minute < clock_timestamp() - interval '2 hours'))
      returning *)
    insert into callback_counts
    select group_id, account_name, service_name, verdict,
      case when minute > clock_timestamp() - interval '2 hours' then minute end, sum(callbacks)
    from taken group by 1, 2, 3, 4, 5 having sum(callbacks) <> 0`.execute(db)
}
