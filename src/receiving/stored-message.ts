import type { CallbacksTable } from '../database/tables.ts'
import { callbackSeal } from '../secrets/callback-seal.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { type JsonObject, parseExactly } from '../thingspace/json-message.ts'
import { putSecretsBack } from '../thingspace/open-secrets.ts'
import type { Secrets } from '../thingspace/secrets-in-callback.ts'

/**
 * The message as it came: the exact bytes of a quarantined one, the JSON of any other with its secrets put back.
 * Listener credentials were dropped on arrival and are not in it.
 */
export function storedMessage(
  row: Pick<CallbacksTable, 'id' | 'body' | 'sealed' | 'seal_key_id'>,
  sealer: Sealer,
): Buffer {
  const opened = openSealed(row, sealer)
  if (row.body === null) return opened ?? Buffer.alloc(0)
  if (opened === null) return Buffer.from(row.body)
  return Buffer.from(JSON.stringify(putSecretsBack(parseExactly(row.body) as JsonObject, secretsIn(opened))))
}

export function openSealed(
  { id, sealed, seal_key_id }: Pick<CallbacksTable, 'id' | 'sealed' | 'seal_key_id'>,
  sealer: Sealer,
): Buffer | null {
  return sealed === null || seal_key_id === null ? null : sealer.open(sealed, seal_key_id, callbackSeal(id))
}

export function secretsIn(opened: Buffer): Secrets {
  return parseExactly(opened.toString()) as Secrets
}
