import { driverProblem } from './refusal.ts'

/**
 * Does the work for each item. One that fails, for instance because its row is locked, does not keep the others from
 * theirs; its error is thrown at the end, or at once when the database can't be reached.
 */
export async function oneByOne<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
  isStopping: () => boolean = () => false,
): Promise<void> {
  let failure: unknown = null
  for (const item of items) {
    if (isStopping()) break
    try {
      await work(item)
    } catch (error) {
      if (driverProblem(error) !== null) throw error
      failure = error
    }
  }
  if (failure !== null) throw failure
}
