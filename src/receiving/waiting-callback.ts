import type { Kysely } from 'kysely'
import { findHeld } from '../correlation/find-held.ts'
import type { ProfileName } from '../correlation/load-profiles.ts'
import type { RequestName } from '../correlation/lock-activations.ts'
import type { Tables } from '../database/tables.ts'
import type { Authentic, IncomingCallback } from './incoming-callback.ts'
import type { StoredCallback } from './store-callbacks.ts'
import { StoreUnavailable } from './store-errors.ts'

/** A callback whose sender waits for the answer. */
export interface Waiting {
  message: Authentic
  prepared: IncomingCallback | null
  /** Its account and request; null before it is prepared, or when it names none. */
  request: string | null
  givenUp: boolean
  answered: boolean
  /** Its transaction waited too long for a lock: before the next try, check whether its rows are free. */
  suspect: boolean
  /** The server hit an internal fault at it, but took its mere bytes. */
  bytesTaken: boolean
  resolve: (stored: StoredCallback) => void
  reject: (error: Error) => void
}

/** A callback whose sender waits no longer than this. */
export function waitFor(
  message: Authentic,
  patienceMs: number,
  resolve: Waiting['resolve'],
  reject: Waiting['reject'],
): Waiting {
  const entry: Waiting = {
    message,
    prepared: null,
    request: null,
    givenUp: false,
    answered: false,
    suspect: false,
    bytesTaken: false,
    resolve: stored => {
      answered()
      resolve(stored)
    },
    reject: error => {
      answered()
      reject(error)
    },
  }
  const timer = setTimeout(() => {
    entry.givenUp = true
    reject(new StoreUnavailable('the callback was not committed in time'))
  }, patienceMs)
  function answered(): void {
    entry.answered = true
    clearTimeout(timer)
  }
  return entry
}

export function fingerprintsOf(batch: readonly Waiting[]): string[] {
  return batch.flatMap(({ prepared }) => prepared?.fingerprint ?? [])
}

/** Finds out which callbacks need a row that another transaction holds. */
export async function findHeldCallbacks(
  db: Kysely<Tables>,
  batch: readonly Waiting[],
): Promise<(entry: Waiting) => boolean> {
  const requests = new Map(batch.map(entry => [entry, requestOf(entry)]))
  const profiles = new Map(batch.map(entry => [entry, profilesOf(entry)]))
  const held = await findHeld(db, [...requests.values()].flat(), [...profiles.values()].flat())
  return entry => (requests.get(entry) ?? []).some(held.request) || (profiles.get(entry) ?? []).some(held.profile)
}

function requestOf({ message: { accountName }, prepared }: Waiting): RequestName[] {
  const requestId = prepared?.reading.requestId
  return requestId == null ? [] : [{ accountName, requestId }]
}

function profilesOf({ message: { accountName }, prepared }: Waiting): ProfileName[] {
  if (prepared?.reading.kind !== 'reports') return []
  return prepared.reading.reports.flatMap(({ identifiers: { iccid } }) =>
    iccid === null ? [] : [{ accountName, iccid }],
  )
}
