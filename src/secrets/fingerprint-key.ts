import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { Sealer } from './sealer.ts'

const name = 'fingerprint'

/**
 * The key of the fingerprints: made once per database, kept there sealed, the same for every replica and through every
 * rotation of `SEAL_KEY`. Were it to change, a redelivered message would count as new.
 */
export async function loadFingerprintKey(db: Kysely<Tables>, sealer: Sealer): Promise<Buffer> {
  const boundTo = `key:${name}`
  const { sealed, keyId } = sealer.seal(randomBytes(32), boundTo)
  await db
    .insertInto('sealed_keys')
    .values({ name, sealed, seal_key_id: keyId })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  const row = await db.selectFrom('sealed_keys').selectAll().where('name', '=', name).executeTakeFirstOrThrow()
  return sealer.open(row.sealed, row.seal_key_id, boundTo)
}
