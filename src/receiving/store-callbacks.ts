import assert from 'node:assert/strict'
import type { Kysely } from 'kysely'
import { applyReport } from '../correlation/apply-report.ts'
import { loadWorkingSet } from '../correlation/load-working-set.ts'
import { lockActivations } from '../correlation/lock-activations.ts'
import { type StoredResult, saveResults } from '../correlation/save-results.ts'
import { saveWorkingSet } from '../correlation/save-working-set.ts'
import type { ActivationState } from '../correlation/working-set.ts'
import type { Tables } from '../database/tables.ts'
import { arrivalsOf } from './arrivals.ts'
import { countRepeats, findStored, insertCallbacks, type NewCallback } from './callback-rows.ts'
import type { IncomingCallback } from './incoming-callback.ts'
import { type Verdict, verdictOf } from './verdict.ts'

export interface StoredCallback {
  callbackId: string
  verdict: Verdict
}

/**
 * One transaction for callbacks that arrived together: each is kept once, matched, applied, and its changes written.
 * Returns one answer per callback, in the order given.
 */
export async function storeCallbacks(
  db: Kysely<Tables>,
  incoming: readonly IncomingCallback[],
): Promise<StoredCallback[]> {
  const distinct = firstOfEach(incoming)
  const locked = await lockActivations(db, requestsOf(distinct))
  const { now } = locked
  const activationOf = activationsByName(locked.activations)
  const stored = await findStored(db, distinct, activationOf)
  const fresh = distinct.filter(callback => !stored.has(callback.fingerprint))

  const arrivals = new Map(fresh.map(callback => [callback.id, arrivalsOf(callback, activationOf(callback), now)]))
  const set = await loadWorkingSet(db, now, locked.activations, [...arrivals.values()].flat())
  const results: StoredResult[] = []
  const rows = fresh.map((callback): NewCallback => {
    const effects = (arrivals.get(callback.id) ?? []).map(arrival => {
      const effect = applyReport(set, arrival)
      results.push({ arrival, accountName: callback.accountName, targetNumber: effect.targetNumber })
      return effect
    })
    const activation = activationOf(callback)
    return {
      callback,
      activationId: activation?.id ?? null,
      verdict: verdictOf(
        callback,
        activation,
        effects.some(effect => effect.changed),
      ),
    }
  })

  const inserted = await insertCallbacks(db, rows, now)
  await countRepeats(db, repeatsOf(incoming, stored, inserted), now)
  await saveResults(db, results)
  await saveWorkingSet(db, set)

  return incoming.map(callback => {
    const known = stored.get(callback.fingerprint)
    const row = inserted.get(callback.fingerprint)
    if (known !== undefined) return { callbackId: known, verdict: 'repeated' }
    assert(row !== undefined, 'a callback was stored before or is inserted now')
    return { callbackId: row.id, verdict: callback.id === row.id ? (row.verdict ?? 'repeated') : 'repeated' }
  })
}

/** Copies that wait in the same batch: the first is stored, the others repeat it. */
function firstOfEach(incoming: readonly IncomingCallback[]): IncomingCallback[] {
  const first = new Map<string, IncomingCallback>()
  for (const callback of incoming) if (!first.has(callback.fingerprint)) first.set(callback.fingerprint, callback)
  return [...first.values()]
}

function requestsOf(callbacks: readonly IncomingCallback[]) {
  return callbacks.flatMap(({ accountName, reading: { requestId } }) =>
    requestId === null ? [] : [{ accountName, requestId }],
  )
}

type ActivationOf = (callback: IncomingCallback) => ActivationState | null

function activationsByName(activations: readonly ActivationState[]): ActivationOf {
  const byName = new Map(
    activations.map(activation => [`${activation.requestId} ${activation.accountName}`, activation]),
  )
  return ({ accountName, reading }) => byName.get(`${reading.requestId} ${accountName}`) ?? null
}

interface Repeat {
  id: string
  callbackCount: number | null
}

/** Every delivery beyond the one that was inserted, by the callback that it repeats. */
function repeatsOf(
  incoming: readonly IncomingCallback[],
  stored: ReadonlyMap<string, string>,
  inserted: ReadonlyMap<string, { id: string }>,
): Repeat[] {
  return incoming.flatMap(callback => {
    const id = stored.get(callback.fingerprint) ?? inserted.get(callback.fingerprint)?.id
    return id === undefined || id === callback.id ? [] : [{ id, callbackCount: callback.reading.callbackCount }]
  })
}
