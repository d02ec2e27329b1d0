import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { ThingSpaceAccess } from '../config.ts'
import { nameInUrl } from '../listeners/callback-url.ts'
import { checkCredential } from '../listeners/new-credentials.ts'
import { WrongUsage } from './command-line.ts'

export const usage = `npm run listener -- register --account A --url URL [--service S ...] [--username U] [--password-file F] [--replace]
npm run listener -- rotate --account A [--service S ...] [--url URL] [--username U] [--password-file F]
npm run listener -- list [--account A]
npm run listener -- check [--account A] [--allow S ...]
npm run listener -- deregister --account A [--service S ...]
npm run listener -- clear-login-latch

  The listeners to which ThingSpace sends callbacks. Every action takes --json. Exit code: 0 done, 1 failed or drift found, 2 wrong usage.

  register           gives ThingSpace our URL and new credentials, which this service accepts before ThingSpace has them
  rotate             new credentials (or another URL); the old ones are accepted for another 24 hours. Without --service:
                     for all listeners of the account
  list               ours, and what ThingSpace lists, without passwords
  check              compares both, and ends with 1 if they differ: missing, url, credentials, unknown
  deregister         removes the listener from ThingSpace; its credentials are accepted for another 24 hours
  clear-login-latch  lets ThingSpace logins be tried again after two were refused; put the credentials right first

  --service S        repeatable; CarrierService and DeviceProfileService when none is named
  --url URL          where this service is reached from outside, such as https://callbacks.example.com; the path
                     /callbacks/<account>/<service> is added
  --username U       up to 40 characters; default: made from the account, or as before
  --password-file F  a file with the password, up to 40 characters; default: a random one, which nobody has to know
  --replace          register even if ThingSpace lists a listener with another URL
  --allow S          repeatable; a service that ThingSpace may list though it is not ours

  DATABASE_URL and SEAL_KEY as for the service; THINGSPACE_KEY, THINGSPACE_SECRET, THINGSPACE_USERNAME,
  THINGSPACE_PASSWORD: the credentials of the ThingSpace API; THINGSPACE_BASE_URL: another host
`

export const actions = ['register', 'rotate', 'list', 'check', 'deregister', 'clear-login-latch'] as const
export type Action = (typeof actions)[number]

export interface ListenerOptions {
  account: string | null
  /** Empty when none was named. */
  services: string[]
  url: string | null
  username: string | null
  passwordFile: string | null
  replace: boolean
  allow: string[]
  json: boolean
}

const one = { type: 'string' } as const
const several = { type: 'string', multiple: true } as const
const flag = { type: 'boolean' } as const
const credentials = { url: one, username: one, 'password-file': one }

const optionsOf = {
  register: { account: one, service: several, ...credentials, replace: flag },
  rotate: { account: one, service: several, ...credentials },
  list: { account: one },
  check: { account: one, allow: several },
  deregister: { account: one, service: several },
  'clear-login-latch': {},
} as const

const accountNeeded: readonly Action[] = ['register', 'rotate', 'deregister']

/** The options of one action; any other option is wrong usage. */
export function readListenerOptions(action: Action, args: string[]): ListenerOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...optionsOf[action], json: flag } as Record<string, typeof one | typeof several | typeof flag>,
  })
  // Not quoted: it may be a password that was meant for a file.
  if (positionals.length > 0) throw new WrongUsage(`one argument too many after ${action}`)
  const text = (option: string) => (values[option] as string | undefined) ?? null
  const options: ListenerOptions = {
    account: text('account'),
    services: [...new Set(values.service as string[] | undefined)],
    url: text('url'),
    username: text('username'),
    passwordFile: text('password-file'),
    replace: values.replace === true,
    allow: (values.allow as string[] | undefined) ?? [],
    json: values.json === true,
  }
  if (options.account === null && accountNeeded.includes(action)) throw new WrongUsage('name the account: --account')
  if (options.account !== null && !nameInUrl.test(options.account)) {
    throw new WrongUsage('--account: a billing account such as 0000123456-00001')
  }
  if (!options.services.every(service => nameInUrl.test(service))) {
    throw new WrongUsage('--service: a callback service such as CarrierService')
  }
  if (action === 'register' && options.url === null) throw new WrongUsage('say where this service is reached: --url')
  return options
}

/** The user name and the password that were asked for; null for one that is to be made up. */
export function readCredentials({ username, passwordFile }: ListenerOptions, access: ThingSpaceAccess) {
  const forbidden = [access.key, access.secret, access.username, access.password]
  return {
    username: username === null ? null : usable(() => checkCredential('user name', username, forbidden)),
    password: passwordFile === null ? null : usable(() => checkCredential('password', read(passwordFile), forbidden)),
  }
}

export function usable<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof WrongUsage ? error : new WrongUsage((error as Error).message)
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new WrongUsage(`--password-file: the file can't be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
