import type { Kysely } from 'kysely'
import { applyToTarget } from '../correlation/apply-report.ts'
import { foldProfiles } from '../correlation/fold-profiles.ts'
import { arrivalOf } from '../correlation/load-messages.ts'
import { loadTargets } from '../correlation/load-targets.ts'
import { lockActivations } from '../correlation/lock-activations.ts'
import { resultsToSave } from '../correlation/save-results.ts'
import { saveWorkingSet } from '../correlation/save-working-set.ts'
import type { ActivationState, WorkingSet } from '../correlation/working-set.ts'
import type { Database } from '../database/pool.ts'
import { refusalOf } from '../database/refusal.ts'
import type { SeenBy } from '../database/seen-by.ts'
import type { CallbacksTable, Tables } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { writeTogether } from '../database/write-together.ts'
import type { Accounts } from '../operating/access.ts'
import type { CursorKey } from '../operating/cursor.ts'
import { erasedOnRequest } from '../retention/forget-secrets.ts'
import { CannotOpen } from '../secrets/sealer.ts'
import { readJsonMessage } from '../thingspace/json-message.ts'
import { arrivalsOf } from './arrivals.ts'
import { crashesServer } from './deadly-callbacks.ts'
import { type CallbackFilter, findCallback, keyOf, type WalkedCallback, walkCallbacks } from './find-callbacks.ts'
import { type IncomingCallback, type Keys, prepareCallback } from './incoming-callback.ts'
import { storedMessage } from './stored-message.ts'
import { verdictOf } from './verdict.ts'

export interface Reprocessed {
  matched: number
  reprocessed: number
  verdicts: { [verdict: string]: number }
  dryRun: boolean
}

/** Verdicts that another reading may change. An applied callback has had its effect. */
const open = ['quarantined', 'other', 'unmatched']
const atOnce = 1_000

/**
 * Reads stored callbacks again with the current code, and applies what can be read now. Each has a transaction of its
 * own: one that still can't be applied stays as it is, and stops no other. One that crashed the server is left alone
 * unless it is the one that is named: it might do so again, and end whatever else is under way.
 */
export async function reprocessCallbacks(
  { db, seenBy }: { db: Database; seenBy: SeenBy },
  keys: Keys,
  filter: CallbackFilter & { id?: string | undefined },
  accounts: Accounts,
  dryRun: boolean,
): Promise<Reprocessed> {
  const outcome: Reprocessed = { matched: 0, reprocessed: 0, verdicts: {}, dryRun }
  let behind: CursorKey | null = null
  for (;;) {
    const rows: WalkedCallback[] =
      filter.id === undefined
        ? await walkCallbacks(seenBy(accounts), filter, accounts, behind, atOnce)
        : await findCallback(seenBy(accounts), filter.id, accounts).then(one => (one === null ? [] : [one]))
    for (const row of rows) {
      outcome.matched += 1
      const isLeftAlone = filter.id === undefined && row.reason === crashesServer
      if (dryRun || isLeftAlone || !open.includes(row.verdict)) continue
      const verdict = await inTransaction(db, trx => reprocessCallback(trx, keys, row.id)).catch(error => {
        if (refusalOf(error) === 'refused' || error instanceof CannotOpen || isStoredAlready(error)) return row.verdict
        throw error
      })
      outcome.reprocessed += 1
      outcome.verdicts[verdict] = (outcome.verdicts[verdict] ?? 0) + 1
    }
    const end = rows.at(-1)
    if (end === undefined || rows.length < atOnce) return outcome
    behind = keyOf(end)
  }
}

/** As it is read today it came again since, and that delivery was stored as the first: it has had the effect. */
function isStoredAlready(error: unknown): boolean {
  return (error as { constraint?: unknown } | null)?.constraint === 'callbacks_same_message'
}

async function reprocessCallback(db: Kysely<Tables>, keys: Keys, id: string): Promise<string> {
  const found = db.selectFrom('callbacks').selectAll().where('id', '=', id)
  const unlocked = await found.executeTakeFirstOrThrow()
  if (!mayBeRead(unlocked)) return unlocked.verdict
  const { requestId } = readAgain(unlocked, keys).reading
  const { now, activations } = await lockActivations(
    db,
    requestId === null ? [] : [{ accountName: unlocked.account_name, requestId }],
  )
  // Meanwhile its activation may have been recorded and have claimed it, or its secrets may have been erased.
  const row = await found.forUpdate().executeTakeFirstOrThrow()
  if (!mayBeRead(row)) return row.verdict
  const callback = readAgain(row, keys)

  const [activation = null] = activations
  const before = await db.deleteFrom('results').where('source_id', '=', id).returningAll().execute()
  // One that lay in the spool came before it was received.
  const arrivals = arrivalsOf(callback, activation, before[0]?.at ?? row.received_at)
  const targets = await loadTargets(db, activation?.recorded ? arrivals : [])
  const set: WorkingSet = { now, activations: byId(activations), targets, profiles: new Map(), changes: [] }
  const results = arrivals.map(arrival => {
    const target = activation?.recorded ? applyToTarget(set, activation, arrival) : null
    return { arrival, accountName: row.account_name, targetNumber: target?.number ?? null }
  })
  await writeTogether(db, [resultsToSave(results)])
  if (activation !== null) await foldProfiles(db, set, activation, [...before.map(arrivalOf), ...arrivals])
  const verdict = verdictOf(callback, activation, set.changes.length > 0)
  await db
    .updateTable('callbacks')
    .set({
      verdict,
      reason: callback.reading.reason,
      activation_id: activation?.id ?? null,
      body: callback.body,
      sealed: callback.sealed,
      seal_key_id: callback.sealKeyId,
    })
    .where('id', '=', id)
    .execute()
  await saveWorkingSet(db, set)
  return verdict
}

function mayBeRead({ verdict, reason }: Pick<CallbacksTable, 'verdict' | 'reason'>): boolean {
  return open.includes(verdict) && reason !== erasedOnRequest
}

function byId(activations: readonly ActivationState[]): Map<string, ActivationState> {
  return new Map(activations.map(activation => [activation.id, activation]))
}

function readAgain(row: Omit<CallbacksTable, 'times_seen'>, keys: Keys): IncomingCallback {
  const bytes = storedMessage(row, keys.sealer)
  const json = readJsonMessage(bytes)
  if (!json.ok) throw new Error('a stored callback is no JSON object')
  return prepareCallback(
    { id: row.id, accountName: row.account_name, serviceName: row.service_name, bytes, json },
    keys,
  )
}
