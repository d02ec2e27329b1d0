import { doubtsAbout } from '../listeners/callback-url.ts'
import { makePassword, makeUsername } from '../listeners/new-credentials.ts'
import { type Placed, placeListeners, type Registration } from '../listeners/place-listeners.ts'
import { removeListener } from '../listeners/remove-listener.ts'
import { type ListenerView, listListeners } from '../listeners/stored-listeners.ts'
import { CarrierError } from '../thingspace/carrier-error.ts'
import { CannotDo, explain, type Terminal } from './command-line.ts'
import { type ListenerOptions, readCredentials } from './listener-options.ts'
import { account, callbackUrls, defaultServices, label, type Work } from './listener-work.ts'

export async function register(work: Work): Promise<number> {
  const { options, client } = work
  const services = options.services.length > 0 ? options.services : defaultServices
  const known = await ours(work)
  const registered = known.find(one => services.includes(one.serviceName) && one.state === 'registered')
  if (registered !== undefined) {
    throw new CannotDo(
      `${label(registered)} is registered already: rotate gives it new credentials, and with --url another URL`,
    )
  }
  const urls = callbackUrls({ ...options, services })
  if (!options.replace) {
    for (const { serviceName, url } of await client.listListeners(account(options))) {
      const wanted = urls.get(serviceName)
      if (wanted !== undefined && wanted !== url) {
        throw new CannotDo(`ThingSpace lists ${serviceName} already, with the URL ${url}; --replace takes its place`)
      }
    }
  }
  const username = makeUsername(account(options))
  return placeAll(work, services, name => ({ url: urls.get(name) ?? '', username }), 'registered')
}

export async function rotate(work: Work): Promise<number> {
  const { options } = work
  const known = (await ours(work)).filter(({ state }) => state !== 'deregistered')
  const services = options.services.length > 0 ? options.services : known.map(({ serviceName }) => serviceName)
  const missing = services.find(name => !known.some(({ serviceName }) => serviceName === name))
  if (missing !== undefined) throw new CannotDo(`${missing} of ${options.account} is not registered: register it`)
  if (services.length === 0) throw new CannotDo(`no listener of ${options.account} is registered: register one`)
  const urls = options.url === null ? null : callbackUrls({ ...options, services })
  return placeAll(
    work,
    services,
    name => {
      const before = known.find(({ serviceName }) => serviceName === name)
      return {
        url: urls?.get(name) ?? before?.url ?? '',
        username: before?.username ?? makeUsername(account(options)),
      }
    },
    'rotated',
  )
}

type Fallback = Pick<Registration, 'url' | 'username'>

async function placeAll(
  { terminal: { say, warn }, options, config, ...work }: Work,
  services: readonly string[],
  fallback: (serviceName: string) => Fallback,
  done: string,
): Promise<number> {
  if (config.thingSpace === null) throw new CannotDo('no credentials for ThingSpace')
  const given = readCredentials(options, config.thingSpace)
  const registrations = services.map(serviceName => {
    const { url, username } = fallback(serviceName)
    const credentials = { username: given.username ?? username, password: given.password ?? makePassword() }
    return { accountName: account(options), serviceName, url, ...credentials }
  })
  for (const one of registrations) for (const doubt of doubtsAbout(one.url, one)) warn(`note: ${doubt}`)
  const placed = await placeListeners(
    {
      ...work,
      onWait: ms => {
        if (!options.json) say(`New credentials are stored; every running service has ${ms / 1_000} s to see them.`)
      },
    },
    registrations,
  )
  report({ say, warn }, options, placed, done)
  return placed.every(({ error }) => error === null) ? 0 : 1
}

function report(
  { say, warn }: Pick<Terminal, 'say' | 'warn'>,
  { json }: ListenerOptions,
  placed: readonly Placed[],
  done: string,
): void {
  for (const one of placed) {
    if (one.error !== null) warn(`${label(one)}: ${explain(one.error)}\n  ${consequence(one.error)}`)
    else if (!json) say(`${label(one)}: ${done}, ${one.url}, user name ${one.username}`)
  }
  if (json) {
    const listeners = placed.map(({ error, ...one }) => ({ ...one, done: error === null }))
    say(JSON.stringify({ listeners }))
  }
}

function consequence(error: unknown): string {
  // Any other error is one of the database, perhaps when ThingSpace had taken it already.
  return error instanceof CarrierError && error.outcome !== 'unknown'
    ? 'nothing was changed'
    : 'ThingSpace may have it all the same: the credentials before and the new ones are both accepted; rotate settles it'
}

export async function deregister(work: Work): Promise<number> {
  const { options, terminal } = work
  const { say, warn } = terminal
  const services = options.services.length > 0 ? options.services : defaultServices
  const outcomes: { serviceName: string; atCarrier: boolean; here: boolean }[] = []
  let failed = 0
  for (const serviceName of services) {
    const name = { accountName: account(options), serviceName }
    try {
      const removed = await removeListener(work, name)
      outcomes.push({ serviceName, ...removed })
      if (!options.json) say(`${label(name)}: ${removalOf(removed)}`)
    } catch (error) {
      failed = 1
      warn(`${label(name)}: ${explain(error)}\n  nothing was changed here`)
    }
  }
  if (options.json) say(JSON.stringify({ accountName: options.account, listeners: outcomes }))
  return failed
}

function removalOf({ atCarrier, here }: { atCarrier: boolean; here: boolean }): string {
  if (!atCarrier && !here) return 'there is none'
  const there = atCarrier ? 'deregistered' : 'ThingSpace had none'
  return `${there}; ${here ? 'its credentials are accepted for another 24 hours' : 'it was not ours'}`
}

export async function clearLoginLatch({ client, options, terminal }: Work): Promise<number> {
  await client.clearLoginLatch()
  terminal.say(
    options.json ? JSON.stringify({ cleared: true }) : 'logins are tried again; five refused ones lock the account',
  )
  return 0
}

async function ours({ db, options }: Work): Promise<ListenerView[]> {
  return (await listListeners(db)).filter(one => one.accountName === options.account)
}
