import type { Kysely } from 'kysely'
import type { Listener } from '../config.ts'
import type { Tables } from '../database/tables.ts'
import type { RegisteredListener, ThingSpaceClient } from '../thingspace/client.ts'
import { credentialsDigest } from './credentials-digest.ts'
import { type AcceptedDigest, type ListenerName, listListeners, loadListeners } from './stored-listeners.ts'

/**
 * - `missing`: we have it, ThingSpace does not list it: its callbacks never come
 * - `url`: ThingSpace lists another URL than the one we registered
 * - `credentials`: the callbacks of what ThingSpace lists would be refused here
 * - `unknown`: ThingSpace lists it, we don't have it
 */
export const driftKinds = ['missing', 'url', 'credentials', 'unknown'] as const
export type DriftKind = (typeof driftKinds)[number]

export interface ListenerDrift extends ListenerName {
  kind: DriftKind
  ourUrl: string | null
  carrierUrl: string | null
}

export interface DriftOptions {
  /** The listeners of the environment: ThingSpace must list each of these, at whatever URL. */
  configured?: readonly Listener[]
  /** When given, credentials are compared too. */
  listenersKey?: Buffer
  /** Further accounts to look at, besides those of our listeners. */
  accountNames?: readonly string[]
  /** Services of other programs, which ThingSpace may list. */
  allowedServices?: readonly string[]
}

/**
 * Where ThingSpace and we differ about listeners; empty when all is well. Calls ThingSpace once per account. Listeners
 * that were registered through SOAP are listed nowhere [DOC]. Throws a CarrierError.
 */
export async function findListenerDrift(
  db: Kysely<Tables>,
  client: Pick<ThingSpaceClient, 'listListeners'>,
  { configured = [], listenersKey, accountNames = [], allowedServices = [] }: DriftOptions = {},
): Promise<ListenerDrift[]> {
  const ours = await findOurs(db, configured)
  const { accepted } = await loadListeners(db)
  const accounts = new Set([...ours.map(({ accountName }) => accountName), ...accountNames])
  const drift: ListenerDrift[] = []
  for (const accountName of [...accounts].sort()) {
    const listed = await client.listListeners(accountName)
    const mine = ours.filter(one => one.accountName === accountName)
    for (const { serviceName, url } of mine) {
      const found = listed.find(one => one.serviceName === serviceName)
      const same = { accountName, serviceName, ourUrl: url, carrierUrl: found?.url ?? null }
      if (found === undefined) drift.push({ ...same, kind: 'missing' })
      else if (url !== null && found.url !== url) drift.push({ ...same, kind: 'url' })
      if (found !== undefined && isRefused(found, accountName)) drift.push({ ...same, kind: 'credentials' })
    }
    for (const { serviceName, url } of listed) {
      if (mine.some(one => one.serviceName === serviceName) || allowedServices.includes(serviceName)) continue
      drift.push({ accountName, serviceName, kind: 'unknown', ourUrl: null, carrierUrl: url })
    }
  }
  return drift

  function isRefused(listed: RegisteredListener, accountName: string): boolean {
    const password = listed.revealPassword()
    if (listenersKey === undefined || listed.username === null || password === null) return false
    const { serviceName, username } = listed
    const digest = credentialsDigest(listenersKey, username, password)
    const isStored = accepted.some(one => isOf(one, { accountName, serviceName }) && one.digest.equals(digest))
    const isConfigured = configured.some(
      one =>
        one.accountName === accountName &&
        one.serviceNames.includes(serviceName) &&
        one.username === username &&
        [one.password, one.previousPassword].includes(password),
    )
    return !isStored && !isConfigured
  }
}

interface OurListener extends ListenerName {
  /** null: nobody has told us. */
  url: string | null
}

async function findOurs(db: Kysely<Tables>, configured: readonly Listener[]): Promise<OurListener[]> {
  const stored = (await listListeners(db)).filter(({ state }) => state !== 'deregistered')
  const others = configured.flatMap(({ accountName, serviceNames }) =>
    serviceNames.map(serviceName => ({ accountName, serviceName, url: null })),
  )
  return [...stored, ...others.filter(one => !stored.some(known => isOf(known, one)))]
}

function isOf(one: ListenerName | AcceptedDigest, { accountName, serviceName }: ListenerName): boolean {
  return one.accountName === accountName && one.serviceName === serviceName
}
