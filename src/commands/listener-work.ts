import type { Config } from '../config.ts'
import type { Database } from '../database/pool.ts'
import { callbackUrl } from '../listeners/callback-url.ts'
import type { ListenerName } from '../listeners/stored-listeners.ts'
import type { ThingSpaceClient } from '../thingspace/client.ts'
import type { Terminal } from './command-line.ts'
import { type ListenerOptions, usable } from './listener-options.ts'

/** What every action of `npm run listener` works with. */
export interface Work {
  terminal: Terminal
  options: ListenerOptions
  config: Config
  db: Database
  /** The key of the credentials' digests. */
  listenersKey: Buffer
  client: ThingSpaceClient
}

export const defaultServices = ['CarrierService', 'DeviceProfileService']

/** The URL of each service, or wrong usage. */
export function callbackUrls(options: ListenerOptions): Map<string, string> {
  const services = options.services.length > 0 ? options.services : defaultServices
  return new Map(
    services.map(serviceName => [
      serviceName,
      usable(() => callbackUrl(options.url ?? '', { accountName: account(options), serviceName })),
    ]),
  )
}

export function account({ account }: ListenerOptions): string {
  return account ?? ''
}

export function isAskedFor({ account }: ListenerOptions, { accountName }: ListenerName): boolean {
  return account === null || accountName === account
}

export function isSame(one: ListenerName, other: ListenerName): boolean {
  return one.accountName === other.accountName && one.serviceName === other.serviceName
}

export function label({ accountName, serviceName }: ListenerName): string {
  return `${serviceName} of ${accountName}`
}
