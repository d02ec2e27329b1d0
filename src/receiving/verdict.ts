import assert from 'node:assert/strict'
import type { ActivationState } from '../correlation/working-set.ts'
import type { IncomingCallback } from './incoming-callback.ts'

/** The verdict that is kept. `repeated` is not one of them: a repeated message is counted on the stored one. */
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
