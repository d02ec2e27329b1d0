import type { Kysely } from 'kysely'
import type { ThingSpaceAccess } from '../config.ts'
import type { Tables } from '../database/tables.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { createThingSpaceClient, type ThingSpaceClient } from '../thingspace/client.ts'
import { createSessionStore } from './carrier-session.ts'

/** ThingSpace, with the session that every replica and command on this database shares. Nothing is sent yet. */
export function openCarrier(db: Kysely<Tables>, sealer: Sealer, access: ThingSpaceAccess): ThingSpaceClient {
  return createThingSpaceClient({ ...access, store: createSessionStore(db, sealer, access) })
}
