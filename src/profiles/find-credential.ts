import { type Kysely, sql } from 'kysely'
import type { SeenBy } from '../database/seen-by.ts'
import type { Tables } from '../database/tables.ts'
import type { Access } from '../operating/access.ts'
import { callbackSeal } from '../secrets/callback-seal.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { type JsonObject, parseExactly } from '../thingspace/json-message.ts'
import { credentialOf } from '../thingspace/open-secrets.ts'
import type { Secrets } from '../thingspace/secrets-in-callback.ts'
import { findProfile } from './find-profiles.ts'

export interface Credential {
  iccid: string
  username: string | null
  password: string | null
  callbackId: string
}

/** The `deviceCredential` that the newest callback of a profile brought. Showing it leaves a row in `audit`. */
export async function findCredential(
  seenBy: SeenBy,
  db: Kysely<Tables>,
  sealer: Sealer,
  iccid: string,
  access: Access,
): Promise<Credential | null> {
  const profile = await findProfile(seenBy(access.accounts), iccid, access.accounts)
  const callbackId = profile?.credential_callback_id
  if (profile === null || callbackId == null) return null
  const row = await seenBy(access.accounts)
    .selectFrom('callbacks')
    .selectAll()
    .where('id', '=', callbackId)
    .executeTakeFirst()
  if (row?.sealed == null || row.seal_key_id === null || row.body === null) return null
  const secrets = parseExactly(sealer.open(row.sealed, row.seal_key_id, callbackSeal(callbackId)).toString()) as Secrets
  const credential = credentialOf(JSON.parse(row.body) as JsonObject, secrets, iccid)
  if (credential === null) return null
  await sql`
    insert into audit (who, action, account_name, iccid, callback_id)
    values (${access.name}, 'credential shown', ${profile.account_name}, ${iccid}, ${callbackId})`.execute(db)
  return { iccid, ...credential, callbackId }
}
