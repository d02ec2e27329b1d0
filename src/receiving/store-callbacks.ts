import type { Kysely } from 'kysely'
import { applyReport } from '../correlation/apply-report.ts'
import { lockProfileRows, profileStates } from '../correlation/load-profiles.ts'
import { loadTargetsByIccid, type NamedIccid } from '../correlation/load-targets.ts'
import { completeWorkingSet } from '../correlation/load-working-set.ts'
import { tryLockActivations } from '../correlation/lock-activations.ts'
import { resultsToSave, type StoredResult } from '../correlation/save-results.ts'
import { saveWorkingSet } from '../correlation/save-working-set.ts'
import type { ActivationState, Arrival, WorkingSet } from '../correlation/working-set.ts'
import type { Written } from '../database/pipeline.ts'
import type { Tables } from '../database/tables.ts'
import { together } from '../database/together.ts'
import { fieldsWithUnknownValue } from '../thingspace/known-values.ts'
import type { Reading } from '../thingspace/read-callback.ts'
import { arrivalsOf } from './arrivals.ts'
import {
  callbacksToInsert,
  countRepeats,
  findStored,
  insertNameless,
  type NewCallback,
  type Repeat,
} from './callback-rows.ts'
import type { IncomingCallback } from './incoming-callback.ts'
import { type Verdict, verdictOf } from './verdict.ts'

export interface StoredCallback {
  callbackId: string
  verdict: Verdict
  /** Fields whose value no Verizon page names; none for a repeated callback, so that each is counted once. */
  unknownFields: string[]
}

/**
 * The work of one transaction for callbacks that arrived together: each is kept once, matched and applied, and its
 * changes are written. Lock and load, apply, save: usually two round trips. Returns one answer per callback, in the
 * given order.
 */
export async function storeCallbacks(
  db: Kysely<Tables>,
  incoming: readonly IncomingCallback[],
): Promise<Written<StoredCallback[]>> {
  const deliveries = Map.groupBy(incoming, callback => callback.fingerprint)
  const distinct = [...deliveries.values()].flatMap(([first]) => first ?? [])
  const { activationOf, arrivals, stored, set } = await lockAndLoad(db, distinct)

  const results: StoredResult[] = []
  const rows = distinct
    .filter(({ fingerprint }) => !stored.has(fingerprint))
    .map((callback): NewCallback => {
      const effects = (arrivals.get(callback.id) ?? []).map(arrival => {
        const effect = applyReport(set, arrival)
        results.push({ arrival, accountName: callback.accountName, targetNumber: effect.targetNumber })
        return effect
      })
      const activation = activationOf(callback)
      const changed = effects.some(effect => effect.changed)
      return {
        callback,
        activationId: activation?.id ?? null,
        verdict: verdictOf(callback, activation, changed),
        ...countDeliveries(deliveries.get(callback.fingerprint) ?? []),
      }
    })
  const saved = together([
    insertNameless(db, rows.filter(isNameless), set.now),
    countRepeats(db, repeatsOf(deliveries, stored), set.now),
    saveWorkingSet(db, set, [
      callbacksToInsert(
        rows.filter(row => !isNameless(row)),
        set.now,
      ),
      resultsToSave(results),
    ]),
  ])

  const verdicts = new Map(rows.map(({ callback, verdict }) => [callback.id, verdict]))
  const written = saved.then(([nameless]) =>
    incoming.map(({ id, fingerprint, reading }): StoredCallback => {
      const callbackId =
        stored.get(fingerprint) ?? nameless.get(fingerprint) ?? deliveries.get(fingerprint)?.[0]?.id ?? id
      const verdict = callbackId === id ? (verdicts.get(id) ?? 'repeated') : 'repeated'
      return { callbackId, verdict, unknownFields: verdict === 'repeated' ? [] : unknownFieldsOf(reading) }
    }),
  )
  return { written }
}

interface Loaded {
  activationOf: ActivationOf
  arrivals: Map<string, Arrival[]>
  /** Ids of those that were already stored, by fingerprint. */
  stored: Map<string, string>
  set: WorkingSet
}

/**
 * All that is known about everything that these callbacks name, locked. Read in one round trip where that is enough.
 */
async function lockAndLoad(db: Kysely<Tables>, callbacks: readonly IncomingCallback[]): Promise<Loaded> {
  const named = callbacks.flatMap(namedIccids)
  const [locked, stored, targets, profileRows] = await together([
    tryLockActivations(db, requestsOf(callbacks)),
    findStored(db, callbacks),
    loadTargetsByIccid(db, named),
    lockProfileRows(db, named),
  ])
  if (locked === null) return lockAndLoad(db, callbacks)
  const { now, activations } = locked
  const activationOf = activationsByName(activations)
  const arrivals = new Map(
    callbacks.map(callback => [callback.id, arrivalsOf(callback, activationOf(callback), cameAt(callback, now))]),
  )
  const set = await completeWorkingSet(db, now, activations, [...arrivals.values()].flat(), {
    targets,
    profiles: profileStates(profileRows, named, now),
  })
  return { activationOf, arrivals, stored, set }
}

function namedIccids({ accountName, reading }: IncomingCallback): NamedIccid[] {
  if (reading.kind !== 'reports') return []
  return reading.reports.flatMap(({ identifiers: { iccid } }) =>
    iccid === null ? [] : [{ accountName, requestId: reading.requestId, iccid }],
  )
}

function unknownFieldsOf(reading: Reading): string[] {
  return reading.kind === 'reports' ? reading.reports.flatMap(({ facts }) => fieldsWithUnknownValue(facts)) : []
}

function isNameless({ activationId }: NewCallback): boolean {
  return activationId === null
}

function requestsOf(callbacks: readonly IncomingCallback[]) {
  return callbacks.flatMap(({ accountName, reading: { requestId }, spooledAt: namedAt }) =>
    requestId === null ? [] : [{ accountName, requestId, namedAt }],
  )
}

/** A callback from the spool takes its place among those before and after it, not behind all that came meanwhile. */
function cameAt({ spooledAt }: IncomingCallback, now: Date): Date {
  return spooledAt !== undefined && spooledAt < now ? spooledAt : now
}

type ActivationOf = (callback: IncomingCallback) => ActivationState | null

function activationsByName(activations: readonly ActivationState[]): ActivationOf {
  const byName = new Map(
    activations.map(activation => [`${activation.requestId} ${activation.accountName}`, activation]),
  )
  return ({ accountName, reading: { requestId } }) =>
    (requestId === null ? null : byName.get(`${requestId} ${accountName}`)) ?? null
}

/** Deliveries of callbacks that were stored before this batch. */
function repeatsOf(
  deliveries: ReadonlyMap<string, readonly IncomingCallback[]>,
  stored: ReadonlyMap<string, string>,
): Repeat[] {
  return [...stored].flatMap(([fingerprint, id]) => {
    const came = notCounted(id, deliveries.get(fingerprint) ?? [])
    return came.length === 0 ? [] : [{ id, ...countDeliveries(came) }]
  })
}

/**
 * If the stored one is among these, it was committed although that answer got lost: it is counted already, and so are
 * those that were tried with it. It may come from the spool, and then does not know that it was tried.
 */
function notCounted(id: string, deliveries: readonly IncomingCallback[]): readonly IncomingCallback[] {
  if (!deliveries.some(delivery => delivery.id === id)) return deliveries
  return deliveries.filter(delivery => delivery.id !== id && delivery.tried !== true)
}

function countDeliveries(deliveries: readonly IncomingCallback[]) {
  const counts = deliveries.flatMap(({ reading }) => reading.callbackCount ?? [])
  return { timesSeen: deliveries.length, highestCallbackCount: counts.length === 0 ? null : Math.max(...counts) }
}
