import type { Listener } from '../config.ts'
import { credentialsDigest, type ListenerCredentials } from './listener-credentials.ts'

/** Finds a listener by account and service. Holds digests of the credentials, never the credentials. */
export function createListeners(
  listeners: readonly Listener[],
): (accountName: string, serviceName: string) => ListenerCredentials | null {
  const known = new Map<string, ListenerCredentials>()
  for (const { accountName, serviceNames, username, password, previousPassword } of listeners) {
    const accepted = [password, ...(previousPassword === null ? [] : [previousPassword])]
    for (const serviceName of serviceNames) {
      known.set(listenerKey(accountName, serviceName), {
        accountName,
        serviceName,
        accepted: accepted.map(secret => credentialsDigest(username, secret)),
      })
    }
  }
  return (accountName, serviceName) => known.get(listenerKey(accountName, serviceName)) ?? null
}

function listenerKey(accountName: string, serviceName: string): string {
  return JSON.stringify([accountName, serviceName])
}
