import type { ExpectWithin } from '../config.ts'

/** The time by which every target should have its final result. */
export function expectedBy(
  { byOperation, default: otherwise }: ExpectWithin,
  operation: string,
  submittedAt: Date,
): Date {
  // An operation may have any name, even one that every object has as a property.
  const within = Object.hasOwn(byOperation, operation) ? byOperation[operation] : undefined
  return new Date(submittedAt.getTime() + (within ?? otherwise))
}
