import { LRUCache } from 'lru-cache'
import { isCutOff } from '../database/refusal.ts'

/**
 * Callbacks that were being written when their connection ended without a word, as it does when the server's process
 * for it crashes; a broken link looks the same. One to which this happened twice is written alone from then on. If it
 * then ends its connection time and again while others are committed in between, it is what crashes the server.
 * Identified by fingerprint, since senders and the spool deliver it again.
 */
export interface DeadlyCallbacks {
  /** Whether it is to be written alone. */
  isSuspect(fingerprint: string): boolean
  /** Whether it must be kept in another form, because the server does not survive this one. */
  isDeadly(fingerprint: string): boolean
  /** The transaction of these failed. */
  failed(fingerprints: readonly string[], error: unknown): void
  committed(fingerprints: readonly string[]): void
}

const suspectAfter = 2
const deadlyAfter = 3
const mostRemembered = 10_000

interface Suspicion {
  cutOff: number
  /** How often it was written alone, with something else committed since the time before. */
  alone: number
  /** Transactions that had been committed by the last time. */
  commits: number
}

const none: Suspicion = { cutOff: 0, alone: 0, commits: -1 }

export function watchDeadlyCallbacks(): DeadlyCallbacks {
  const suspicions = new LRUCache<string, Suspicion>({ max: mostRemembered })
  let commits = 0

  return {
    isSuspect: fingerprint => suspicions.size > 0 && (suspicions.get(fingerprint) ?? none).cutOff >= suspectAfter,
    isDeadly: fingerprint => suspicions.size > 0 && (suspicions.get(fingerprint) ?? none).alone >= deadlyAfter,
    failed(fingerprints, error) {
      if (!isCutOff(error)) return
      for (const fingerprint of fingerprints) {
        const known = suspicions.get(fingerprint) ?? none
        const counts = fingerprints.length === 1 && commits > known.commits
        suspicions.set(fingerprint, { cutOff: known.cutOff + 1, alone: known.alone + (counts ? 1 : 0), commits })
      }
    },
    committed(fingerprints) {
      commits += 1
      if (suspicions.size > 0) for (const fingerprint of fingerprints) suspicions.delete(fingerprint)
    },
  }
}
