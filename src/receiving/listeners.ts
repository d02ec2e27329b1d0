import { randomBytes } from 'node:crypto'
import type { Listener } from '../config.ts'
import { credentialsDigest } from '../listeners/credentials-digest.ts'
import type { AcceptedDigest } from '../listeners/stored-listeners.ts'
import type { AcceptedCredentials, ListenerCredentials } from './listener-credentials.ts'

/** Those registered by command, as last read. */
export interface StoredAccepted {
  key: Buffer
  accepted: readonly AcceptedDigest[]
}

/**
 * Finds a listener by account and service, among those of the environment and those in `stored`. Needs no database;
 * holds digests of the credentials, never the credentials.
 */
export function createListeners(
  configured: readonly Listener[],
  stored: () => StoredAccepted | null = () => null,
): (accountName: string, serviceName: string) => ListenerCredentials | null {
  const fromEnvironment = index(configuredCredentials(configured))
  let from: StoredAccepted | null = null
  let fromDatabase = index([])

  return (accountName, serviceName) => {
    const now = stored()
    if (now !== from) {
      from = now
      fromDatabase = index(now?.accepted.map(one => ({ ...one, key: now.key })) ?? [])
    }
    const key = listenerKey(accountName, serviceName)
    const accepted = [...(fromEnvironment.get(key) ?? []), ...(fromDatabase.get(key) ?? [])]
    const valid = accepted.filter(({ until }) => until > Date.now())
    return valid.length === 0 ? null : { accountName, serviceName, accepted: valid }
  }
}

type Indexed = AcceptedCredentials & { accountName: string; serviceName: string }

function configuredCredentials(listeners: readonly Listener[]): Indexed[] {
  const key = randomBytes(32)
  return listeners.flatMap(({ accountName, serviceNames, username, password, previousPassword }) => {
    const digests = [password, ...(previousPassword === null ? [] : [previousPassword])].map(secret =>
      credentialsDigest(key, username, secret),
    )
    return serviceNames.flatMap(serviceName =>
      digests.map(digest => ({ accountName, serviceName, key, digest, until: Number.POSITIVE_INFINITY })),
    )
  })
}

function index(credentials: readonly Indexed[]): ReadonlyMap<string, AcceptedCredentials[]> {
  return Map.groupBy(credentials, ({ accountName, serviceName }) => listenerKey(accountName, serviceName))
}

function listenerKey(accountName: string, serviceName: string): string {
  return JSON.stringify([accountName, serviceName])
}
