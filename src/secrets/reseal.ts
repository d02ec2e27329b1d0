import { type Kysely, sql } from 'kysely'
import type { Database } from '../database/pool.ts'
import { rowsOf } from '../database/rows.ts'
import type { Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { callbackSeal } from './callback-seal.ts'
import { databaseKeySeal } from './database-keys.ts'
import { dropResealIndexes, makeResealIndex } from './reseal-index.ts'
import { CannotOpen, type Sealer } from './sealer.ts'

export interface ResealOptions {
  sealer: Sealer
  /** Ids of the keys that the sealer opens with, beside its current one. */
  previousKeyIds: readonly string[]
  /** Called after each batch: how many are done, and how many there were to do at the start. */
  onProgress?: (done: number, of: number) => void
  /** Called when no index can be made; then each run reads the whole table. */
  onNoIndex?: (error: unknown) => void
}

export interface Resealed {
  resealed: number
  /** What is not under the current key, by key id; empty when the previous keys can be removed. */
  left: Map<string, number>
  /** Callbacks and database keys whose sealed bytes can't be opened although their key is there. */
  damaged: string[]
}

const batchRows = 200
const batchBytes = 4 * 1024 * 1024
/** Rows that others hold are skipped and tried again, this many times. */
const rounds = 20
const pauseMs = 500

/**
 * Reseals everything that is sealed under a previous key with the current one. Safe to kill at any moment and to run
 * again, beside a running service and beside another run: each batch is a transaction, each row is read under its lock,
 * and a row that somebody holds is left for the next round. The ThingSpace session is left out: if its key is gone, the
 * service signs in again.
 */
export async function reseal(db: Database, options: ResealOptions): Promise<Resealed> {
  const { sealer, previousKeyIds } = options
  const current = sealer.currentKeyId
  await makeResealIndex(db, current).catch(error => options.onNoIndex?.(error))
  const of = sum(await countLeft(db, current))
  const previous = previousKeyIds.filter(keyId => keyId !== current)
  const outcome: Resealed = { resealed: 0, left: new Map(), damaged: [] }
  for (let round = 1; ; round += 1) {
    outcome.damaged = []
    await resealDatabaseKeys(db, sealer, previous, outcome)
    for (const keyId of previous) {
      await resealCallbacks(db, sealer, keyId, outcome, () => options.onProgress?.(outcome.resealed, of))
    }
    outcome.left = await countLeft(db, current)
    const within = new Map([...outcome.left].filter(([keyId]) => previous.includes(keyId)))
    if (sum(within) <= outcome.damaged.length || round === rounds) break
    await new Promise(resolve => setTimeout(resolve, pauseMs))
  }
  if (outcome.left.size === 0) await dropResealIndexes(db).catch(error => options.onNoIndex?.(error))
  return outcome
}

async function resealDatabaseKeys(
  db: Database,
  sealer: Sealer,
  previous: readonly string[],
  outcome: Resealed,
): Promise<void> {
  await inTransaction(db, async trx => {
    const rows = await trx.selectFrom('sealed_keys').selectAll().orderBy('name').forUpdate().execute()
    for (const row of rows.filter(({ seal_key_id }) => previous.includes(seal_key_id))) {
      const boundTo = databaseKeySeal(row.name)
      const plain = openOrNull(sealer, row.sealed, row.seal_key_id, boundTo)
      if (plain === null) {
        outcome.damaged.push(boundTo)
        continue
      }
      const { sealed, keyId } = sealer.seal(plain, boundTo)
      await trx.updateTable('sealed_keys').set({ sealed, seal_key_id: keyId }).where('name', '=', row.name).execute()
      outcome.resealed += 1
    }
  })
}

async function resealCallbacks(
  db: Database,
  sealer: Sealer,
  keyId: string,
  outcome: Resealed,
  onBatch: () => void,
): Promise<void> {
  let last = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const ids = await nextIds(db, sealer.currentKeyId, keyId, last)
    const end = ids.at(-1)
    if (end === undefined) return
    const batch = await inTransaction(db, trx => resealBatch(trx, sealer, keyId, ids))
    outcome.resealed += batch.resealed
    outcome.damaged.push(...batch.damaged)
    onBatch()
    last = end
  }
}

/** The next ones under that key, in the order of their ids; fewer at a time when they are large. */
async function nextIds(db: Kysely<Tables>, current: string, keyId: string, after: string): Promise<string[]> {
  // Both ids are literals, so that the planner can tell that the index holds the rows.
  const { rows } = await sql<{ id: string; before: string }>`
    select id, sum(bytes) over (order by id) - bytes as before from (
      select id, octet_length(sealed) as bytes from callbacks
      where seal_key_id = ${sql.lit(keyId)} and seal_key_id <> ${sql.lit(current)} and id > ${after}
      order by id limit ${batchRows}
    ) next order by id`.execute(db)
  return rows.filter(({ before }) => Number(before) < batchBytes).map(({ id }) => id)
}

async function resealBatch(
  trx: Kysely<Tables>,
  sealer: Sealer,
  keyId: string,
  ids: readonly string[],
): Promise<{ resealed: number; damaged: string[] }> {
  const { rows } = await sql<{ id: string; sealed: Buffer }>`
    select id, sealed from callbacks where id = any(${ids}) and seal_key_id = ${keyId}
    order by id for no key update skip locked`.execute(trx)
  const opened = rows.map(row => ({ id: row.id, plain: openOrNull(sealer, row.sealed, keyId, callbackSeal(row.id)) }))
  const values = opened.flatMap(({ id, plain }) =>
    plain === null ? [] : [{ id, sealed: `\\x${sealer.seal(plain, callbackSeal(id)).sealed.toString('hex')}` }],
  )
  if (values.length > 0) {
    await sql`
      update callbacks c set sealed = r.sealed, seal_key_id = ${sealer.currentKeyId}
      from ${rowsOf(values, 'id uuid, sealed bytea')} where c.id = r.id`.execute(trx)
  }
  return {
    resealed: values.length,
    damaged: opened.flatMap(({ id, plain }) => (plain === null ? [callbackSeal(id)] : [])),
  }
}

function openOrNull(sealer: Sealer, sealed: Buffer, keyId: string, boundTo: string): Buffer | null {
  try {
    return sealer.open(sealed, keyId, boundTo)
  } catch (error) {
    if (error instanceof CannotOpen) return null
    throw error
  }
}

async function countLeft(db: Kysely<Tables>, current: string): Promise<Map<string, number>> {
  const { rows } = await sql<{ key: string; count: string }>`
    select seal_key_id as key, count(*) as count from (
      select seal_key_id from callbacks where seal_key_id <> ${sql.lit(current)}
      union all
      select seal_key_id from sealed_keys where seal_key_id <> ${sql.lit(current)}
    ) rest group by 1 order by 1`.execute(db)
  return new Map(rows.map(({ key, count }) => [key, Number(count)]))
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0)
}
