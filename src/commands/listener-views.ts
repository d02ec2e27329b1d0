import { findListenerDrift } from '../listeners/find-listener-drift.ts'
import { type ListenerView, listListeners } from '../listeners/stored-listeners.ts'
import type { RegisteredListener } from '../thingspace/client.ts'
import { alignColumns, explain } from './command-line.ts'
import { isAskedFor, isSame, label, type Work } from './listener-work.ts'

export async function list({ terminal: { say, warn }, options, config, db, client }: Work): Promise<number> {
  const stored = (await listListeners(db)).filter(one => isAskedFor(options, one))
  const configured = config.listeners.flatMap(({ accountName, serviceNames, username }) =>
    serviceNames.map(serviceName => ({ accountName, serviceName, username })),
  )
  const others = configured.filter(one => isAskedFor(options, one) && !stored.some(known => isSame(known, one)))
  const known: ListedListener[] = [
    ...stored,
    ...others.map(one => ({ ...nothing, ...one, state: 'configured' as const })),
  ]
  const accounts = new Set([
    ...known.map(({ accountName }) => accountName),
    ...(options.account ? [options.account] : []),
  ])
  const listed: RegisteredListener[] = []
  let failed = 0
  for (const accountName of accounts) {
    try {
      listed.push(...(await client.listListeners(accountName)))
    } catch (error) {
      failed = 1
      warn(`what ThingSpace lists for ${accountName} is not known: ${explain(error)}`)
    }
  }
  const foreign = listed
    .filter(one => !known.some(ours => isSame(ours, one)))
    .map(({ accountName, serviceName, username }) => ({
      ...nothing,
      accountName,
      serviceName,
      username,
      state: 'not ours' as const,
    }))
  const items = [...known, ...foreign].map(one => ({
    ...one,
    carrierUrl: listed.find(other => isSame(one, other))?.url ?? null,
  }))
  if (options.json) say(JSON.stringify({ items }))
  else for (const line of table(items)) say(line)
  return failed
}

type ListedListener = Omit<ListenerView, 'state' | 'url'> & {
  state: ListenerView['state'] | 'configured' | 'not ours'
  url: string | null
}

const nothing = { url: null, username: null, registeredAt: null, deregisteredAt: null, previousUntil: null }

function table(items: readonly (ListedListener & { carrierUrl: string | null })[]): string[] {
  if (items.length === 0) return ['no listeners']
  const rows = items.map(one => [
    one.accountName,
    one.serviceName,
    one.state,
    one.username || '-',
    one.url ?? '-',
    one.carrierUrl === null ? 'not listed' : one.carrierUrl === one.url ? 'same' : one.carrierUrl,
    one.previousUntil ?? '-',
  ])
  const head = ['ACCOUNT', 'SERVICE', 'STATE', 'USER NAME', 'OUR URL', 'AT THINGSPACE', 'EARLIER CREDENTIALS UNTIL']
  return alignColumns([head, ...rows])
}

export async function check({ terminal: { say }, options, config, db, listenersKey, client }: Work): Promise<number> {
  const drift = await findListenerDrift(db, client, {
    configured: config.listeners,
    listenersKey,
    accountNames: options.account === null ? [] : [options.account],
    allowedServices: options.allow,
  })
  const found = drift.filter(one => isAskedFor(options, one))
  if (options.json) say(JSON.stringify({ drift: found }))
  else if (found.length === 0) say('ThingSpace lists what we have')
  else for (const one of found) say(`${one.kind}: ${label(one)}: ${meaning(one)}`)
  return found.length === 0 ? 0 : 1
}

function meaning({ kind, ourUrl, carrierUrl }: Awaited<ReturnType<typeof findListenerDrift>>[number]): string {
  switch (kind) {
    case 'missing':
      return 'ThingSpace does not list it, so its callbacks do not come; rotate registers it again'
    case 'url':
      return `ThingSpace lists ${carrierUrl}, we registered ${ourUrl}`
    case 'credentials':
      return 'callbacks with the credentials that ThingSpace has would be refused; rotate gives it new ones'
    case 'unknown':
      return `ThingSpace lists ${carrierUrl}, which is not ours; deregister it, or --allow it`
  }
}
