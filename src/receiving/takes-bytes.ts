import type { PipelinedDatabase } from '../database/pipeline.ts'
import { type Authentic, type Keys, quarantineCallback } from './incoming-callback.ts'
import { storeCallbacks } from './store-callbacks.ts'

class TakenBack extends Error {}

/**
 * Whether the database takes this callback as mere bytes. Nothing is kept of the attempt: it tells a server in trouble,
 * which fails whatever it is given, from one that fails at the content of this callback.
 */
export async function takesBytesOf(db: PipelinedDatabase, message: Authentic, keys: Keys): Promise<boolean> {
  const asBytes = quarantineCallback(message, 'tried, and taken back', keys)
  const tried = db.transaction(async trx => {
    const { written } = await storeCallbacks(trx, [asBytes])
    await written
    throw new TakenBack()
  })
  return tried.then(
    () => false,
    error => error instanceof TakenBack,
  )
}
