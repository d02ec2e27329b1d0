import type { PipelinedDatabase } from '../database/pipeline.ts'
import { type Authentic, type Keys, quarantineCallback } from './incoming-callback.ts'
import { storeCallbacks } from './store-callbacks.ts'

class TakenBack extends Error {}

/**
 * Resolves when the database takes this callback as mere bytes, of which nothing is kept; else rejects as that went. It
 * tells a server that is not well, or not there, from one that fails at what this callback says.
 */
export async function tryBytesOf(db: PipelinedDatabase, message: Authentic, keys: Keys): Promise<void> {
  const asBytes = quarantineCallback(message, 'tried, and taken back', keys)
  try {
    await db.transaction(async trx => {
      const { written } = await storeCallbacks(trx, [asBytes])
      await written
      throw new TakenBack()
    })
  } catch (error) {
    if (!(error instanceof TakenBack)) throw error
  }
}

/** The same, told. */
export function takesBytesOf(db: PipelinedDatabase, message: Authentic, keys: Keys): Promise<boolean> {
  return tryBytesOf(db, message, keys).then(
    () => true,
    () => false,
  )
}
