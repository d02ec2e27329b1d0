import { LRUCache } from 'lru-cache'
import { isCutOff } from '../database/refusal.ts'

/**
 * Callbacks that were being written when their connection ended without a word, as it does when the server's process
 * for it crashes; a link that breaks looks the same. One that met this twice is written alone from then on, and each
 * time only when the server has just taken its mere bytes. When that ends its connection time and again it is what
 * crashes the server. Identified by fingerprint, since senders and the spool deliver it again.
 */
export interface DeadlyCallbacks {
  /** Whether it is to be written alone. */
  isSuspect(fingerprint: string): boolean
  /** Whether it must be kept in another form, because the server does not survive this one. */
  isDeadly(fingerprint: string): boolean
  /** The transaction of these failed: of one alone whose mere bytes were taken a moment before, or not. */
  failed(fingerprints: readonly string[], error: unknown, bytesTaken: boolean): void
  committed(fingerprints: readonly string[]): void
}

/** Why one was quarantined that crashes the server. One with this reason is read again only when it is named. */
export const crashesServer = 'ended the connection to the database each time it was written'

const suspectAfter = 2
const deadlyAfter = 3
const mostRemembered = 10_000

interface Suspicion {
  cutOff: number
  /** How often of these the server took its mere bytes a moment before. */
  alone: number
}

const none: Suspicion = { cutOff: 0, alone: 0 }

export function watchDeadlyCallbacks(): DeadlyCallbacks {
  const suspicions = new LRUCache<string, Suspicion>({ max: mostRemembered })
  const of = (fingerprint: string) => (suspicions.size > 0 ? (suspicions.get(fingerprint) ?? none) : none)
  const isDeadly = (fingerprint: string) => of(fingerprint).alone >= deadlyAfter

  return {
    isSuspect: fingerprint => of(fingerprint).cutOff >= suspectAfter,
    isDeadly,
    failed(fingerprints, error, bytesTaken) {
      if (!isCutOff(error)) return
      for (const fingerprint of fingerprints) {
        const { cutOff, alone } = of(fingerprint)
        suspicions.set(fingerprint, { cutOff: cutOff + 1, alone: alone + (bytesTaken ? 1 : 0) })
      }
    },
    committed(fingerprints) {
      if (suspicions.size === 0) return
      // One that is deadly was committed in another form: its repeats would crash the server as it did.
      for (const fingerprint of fingerprints) if (!isDeadly(fingerprint)) suspicions.delete(fingerprint)
    },
  }
}
