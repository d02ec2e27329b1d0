import { splitHosts } from './database/hosts.ts'
import { nameInUrl } from './listeners/callback-url.ts'
import { addressList } from './operating/address-list.ts'

/*
 * From the text of a variable to its value. Each function throws with what the text should be; the caller adds the name
 * of the variable.
 */

/** Milliseconds until a target counts as overdue, by operation. */
export interface ExpectWithin {
  default: number
  byOperation: { [operation: string]: number }
}

export function readList(text: string): string[] {
  return text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}

export function readNumber(text: string, least: number, most: number, or = ''): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new Error(`a whole number from ${least} to ${most}${or}`)
  return value
}

export function readSwitch(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new Error('on or off')
  return text === 'on'
}

export function readLinesPerSecond(text: string): number {
  return text === 'all' ? Number.POSITIVE_INFINITY : readNumber(text, 0, 1_000_000, ', or all')
}

export function readDatabaseUrl(text: string): string {
  const hosts = /^postgres(ql)?:\/\//.test(text) ? splitHosts(text) : ['']
  if (!hosts.every(url => URL.canParse(url)))
    throw new Error('must be like postgres://user:password@host:5432/database')
  return text
}

/** Names that a callback URL may contain: a listener for any other service would never be found. */
export function readServices(text: string): string[] {
  const list = readList(text)
  if (list.length === 0 || !list.every(name => nameInUrl.test(name))) {
    throw new Error('callback services such as CarrierService, separated by commas')
  }
  return list
}

export function readSources(text: string): string[] {
  const list = readAddresses(text)
  if (list.length === 0)
    throw new Error('no address, so every callback would be refused; leave it unset for the published ones')
  return list
}

function readAddresses(text: string): string[] {
  const list = readList(text)
  addressList(list)
  return list
}

/** Whoever is trusted as a proxy can claim where a callback comes from, so not everybody can be one. */
export function readProxies(text: string): string[] {
  const list = readAddresses(text)
  for (const entry of list) if (/\/0+$/.test(entry)) throw new Error(`${entry} would trust everybody`)
  return list
}

export function readKey(text: string): Buffer {
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) throw new Error('must be the base64 form of 32 bytes; make one with: openssl rand -base64 32')
  return key
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

export function readLogLevel(text: string): string {
  if (!logLevels.includes(text)) throw new Error(`one of ${logLevels.join(', ')}`)
  return text
}

/** `15m`, or `15m,download=12h` to give an operation its own time. */
export function readExpectWithin(text: string): ExpectWithin {
  const expect: ExpectWithin = { default: 15 * 60_000, byOperation: {} }
  for (const item of readList(text)) {
    const [first = '', second] = item.split('=')
    if (second === undefined) expect.default = readDuration(first)
    else expect.byOperation[first] = readDuration(second)
  }
  return expect
}

export function readDuration(text: string): number {
  const [, amount, unit] = /^(\d{1,6})(ms|s|m|h|d)$/.exec(text.trim()) ?? []
  const milliseconds = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit ?? '']
  if (amount === undefined || milliseconds === undefined) throw new Error('a time such as 90s, 15m or 12h')
  return Number(amount) * milliseconds
}

export function readKeeping(text: string, least: number, why: string): number | null {
  if (text === 'forever') return null
  const milliseconds = readDuration(text)
  if (milliseconds < least) throw new Error(`at least ${least / 86_400_000}d, ${why}`)
  return milliseconds
}

export function readTimeLimit(text: string): number {
  const milliseconds = readDuration(text)
  if (milliseconds < 100) throw new Error('at least 100ms')
  return milliseconds
}
