import { driverProblem } from './refusal.ts'

/**
 * Does the work of each. One that fails, as when somebody holds its row, keeps none of the others from theirs; its error
 * is thrown in the end, or at once when there is no reaching the database.
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
