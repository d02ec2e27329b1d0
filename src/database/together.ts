import { sqlState } from './refusal.ts'

/**
 * Runs statements of one transaction that don't wait for each other. Ends when all of them have ended, then throws the
 * first error. Promise.all would not wait: the rollback would overtake a statement that is still to be sent, and that
 * one would take effect outside of the transaction.
 */
export async function together<T extends readonly Promise<unknown>[]>(
  statements: readonly [...T],
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  const outcomes = await Promise.allSettled<unknown>(statements)
  const failures = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (failures.length > 0) throw failures.find(error => sqlState(error) !== inFailedTransaction) ?? failures[0]
  return outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : [])) as never
}

/** What every statement after a failed one is answered with. */
const inFailedTransaction = '25P02'
