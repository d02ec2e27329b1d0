import type { Kysely } from 'kysely'
import type { ThingSpaceAccess } from '../config.ts'
import type { Tables } from '../database/tables.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { createThingSpaceClient, type ThingSpaceClient } from '../thingspace/client.ts'
import { createSessionStore } from './carrier-session.ts'

/** A ThingSpace client, with the session that all replicas and commands on this database share. Sends nothing yet. */
export function openCarrier(db: Kysely<Tables>, sealer: Sealer, access: ThingSpaceAccess): ThingSpaceClient {
  return createThingSpaceClient({ ...access, store: createSessionStore(db, sealer, access) })
}
