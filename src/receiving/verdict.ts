import assert from 'node:assert/strict'
import type { ActivationState } from '../correlation/working-set.ts'
import type { IncomingCallback } from './incoming-callback.ts'

/** What is kept of a callback's reception. `repeated` is no verdict of a stored one: it is counted on it. */
export type StoredVerdict = 'applied' | 'unchanged' | 'unmatched' | 'other' | 'quarantined'
export type Verdict = StoredVerdict | 'repeated'

export function verdictOf(
  callback: IncomingCallback,
  activation: ActivationState | null,
  changed: boolean,
): StoredVerdict {
  switch (callback.reading.kind) {
    case 'unreadable':
      return 'quarantined'
    case 'other':
      return 'other'
    case 'reports':
      if (activation?.recorded !== true) return 'unmatched'
      return changed ? 'applied' : 'unchanged'
    default: {
      const exhaustiveCheck: never = callback.reading
      assert.fail(`no verdict for ${exhaustiveCheck}`)
    }
  }
}
