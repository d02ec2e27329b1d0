import type { Result } from './result.ts'

export type ActivationStatus = 'pending' | 'partial' | 'succeeded' | 'failed' | 'mixed' | 'conflict' | 'unknown'

/** How many targets have each result; `targets` is always their sum. */
export type Counts = Record<Result, number> & { targets: number }

export const noCounts: Counts = { targets: 0, pending: 0, warning: 0, succeeded: 0, failed: 0, conflict: 0 }

/** A target moved from one result to another; `from` is null for a target that is new. */
export function countMove(counts: Counts, from: Result | null, to: Result): Counts {
  const moved = { ...counts, [to]: counts[to] + 1 }
  if (from === null) return { ...moved, targets: counts.targets + 1 }
  return from === to ? counts : { ...moved, [from]: counts[from] - 1 }
}

/**
 * A conflict anywhere shows at once, since a person must look at it. Otherwise `pending` until the first target
 * settles, and `partial` until the last one does.
 */
export function activationStatus(counts: Counts): ActivationStatus {
  const { targets, succeeded, failed, conflict } = counts
  if (conflict > 0) return 'conflict'
  const settled = succeeded + failed
  if (settled === 0) return 'pending'
  if (settled < targets) return 'partial'
  if (failed === 0) return 'succeeded'
  return succeeded === 0 ? 'failed' : 'mixed'
}

export function isActivationSettled(counts: Counts): boolean {
  return counts.targets > 0 && counts.succeeded + counts.failed === counts.targets
}
