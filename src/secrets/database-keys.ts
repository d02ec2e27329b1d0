import { hkdfSync, randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.ts'
import type { Sealer } from './sealer.ts'

export interface DatabaseKeys {
  /** Keys the fingerprints. If it changed, a redelivered message would count as new. */
  fingerprint: Buffer
  /** Signs cursors, so that a modified or foreign one is recognised. */
  cursor: Buffer
  /** Keys the digests of listener credentials. Derived from the first. */
  listeners: Buffer
}

/**
 * Keys that every replica shares and that outlive each rotation of `SEAL_KEY`: made once per database and kept there,
 * sealed.
 */
export async function loadDatabaseKeys(db: Kysely<Tables>, sealer: Sealer): Promise<DatabaseKeys> {
  const fingerprint = await loadKey(db, sealer, 'fingerprint')
  const listeners = Buffer.from(hkdfSync('sha256', fingerprint, '', 'listener credentials', 32))
  return { fingerprint, cursor: await loadKey(db, sealer, 'cursor'), listeners }
}

async function loadKey(db: Kysely<Tables>, sealer: Sealer, name: string): Promise<Buffer> {
  const { sealed, keyId } = sealer.seal(randomBytes(32), databaseKeySeal(name))
  await db
    .insertInto('sealed_keys')
    .values({ name, sealed, seal_key_id: keyId })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  const row = await db.selectFrom('sealed_keys').selectAll().where('name', '=', name).executeTakeFirstOrThrow()
  return sealer.open(row.sealed, row.seal_key_id, databaseKeySeal(name))
}

/** What the sealed key of this name is bound to. */
export function databaseKeySeal(name: string): string {
  return `key:${name}`
}
