import { setTimeout as sleep } from 'node:timers/promises'
import { alone } from '../database/alone.ts'
import type { Database } from '../database/pool.ts'
import { CarrierError } from '../thingspace/carrier-error.ts'
import type { ThingSpaceClient } from '../thingspace/client.ts'
import { credentialsDigest } from './credentials-digest.ts'
import { acceptCredentials, confirmCredentials, type ListenerName, withdrawCredentials } from './stored-listeners.ts'

export interface Carrier {
  db: Database
  client: Pick<ThingSpaceClient, 'registerListener' | 'listListeners' | 'deregisterListener'>
}

export interface PlaceOptions extends Carrier {
  /** The key of the credentials' digests. */
  listenersKey: Buffer
  /** Called when the new credentials are stored and the replicas are being given time to see them. */
  onWait?: (ms: number) => void
}

export interface Registration extends ListenerName {
  url: string
  username: string
  password: string
}

/** What became of one registration. */
export interface Placed extends ListenerName {
  url: string
  username: string
  /** null: ThingSpace has it. */
  error: unknown
}

const lockNumber = 20_817_004
/** Every replica reads the accepted credentials twice a second; this leaves room for reads that fail or are slow. */
export const seenByReplicasMs = 3_000

/**
 * Registers listeners at ThingSpace, or gives registered ones new credentials or another URL, without a callback being
 * refused in between: first the new credentials are accepted beside the old ones, then every replica gets time to see
 * that, and only then is ThingSpace told. The old ones stay valid for a day.
 *
 * A registration that ThingSpace refuses leaves everything as it was. If the outcome can't be known, both sets of
 * credentials stay accepted until a later registration is confirmed.
 */
export async function placeListeners(options: PlaceOptions, registrations: readonly Registration[]): Promise<Placed[]> {
  return aloneWithListeners(options.db, async () => {
    const ids = new Map<Registration, string>()
    for (const registration of registrations) ids.set(registration, await accept(options, registration))
    options.onWait?.(seenByReplicasMs)
    await sleep(seenByReplicasMs)
    const placed: Placed[] = []
    for (const [registration, id] of ids) {
      const { accountName, serviceName, url, username } = registration
      const error = await place(options, registration, id).then(
        () => null,
        error => error,
      )
      placed.push({ accountName, serviceName, url, username, error })
    }
    return placed
  })
}

function accept({ db, listenersKey }: PlaceOptions, registration: Registration): Promise<string> {
  const { url, username, password } = registration
  return acceptCredentials(db, registration, {
    url,
    username,
    digest: credentialsDigest(listenersKey, username, password),
  })
}

async function place(options: PlaceOptions, registration: Registration, id: string): Promise<void> {
  const { db, client } = options
  const { accountName, serviceName: name, url, username, password } = registration
  try {
    await client.registerListener(accountName, { name, url, username, password })
  } catch (error) {
    // Anything but a CarrierError comes from the session store: nothing was sent.
    const unknown = error instanceof CarrierError && error.outcome === 'unknown'
    if (!unknown) await withdrawCredentials(db, registration, id)
    if (!unknown || !(await hasIt(options, registration))) throw error
  }
  await confirmCredentials(db, registration, id, url)
}

/** Whether ThingSpace lists exactly this registration. */
async function hasIt({ client }: PlaceOptions, { accountName, serviceName, ...asked }: Registration): Promise<boolean> {
  const listed = await client.listListeners(accountName).catch(() => [])
  return listed.some(
    one =>
      one.serviceName === serviceName &&
      one.url === asked.url &&
      one.username === asked.username &&
      one.revealPassword() === asked.password,
  )
}

/** One change at a time: with two at once, the wrong one might be confirmed last. */
export function aloneWithListeners<T>(db: Database, work: () => Promise<T>): Promise<T> {
  return alone(db, { number: lockNumber, name: 'listeners', waitMs: 0 }, work)
}
