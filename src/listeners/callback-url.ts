import { callbackServices } from '../thingspace/callback-services.ts'
import type { ListenerName } from './stored-listeners.ts'

/** An account or a service as a callback URL may name it; a request for any other is refused. */
export const nameInUrl = /^[A-Za-z0-9._-]{1,64}$/

/**
 * The URL to register for one listener, made from the address at which this service is reached from outside. That may
 * have a path before ours, and may be the whole URL already. Throws an `Error` that says what is wrong.
 */
export function callbackUrl(base: string, { accountName, serviceName }: ListenerName): string {
  const url = URL.canParse(base) ? new URL(base) : null
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error('the URL must begin with https:// or http://')
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new Error('the URL must be without credentials, query and fragment')
  }
  const ours = `/callbacks/${accountName}/${serviceName}`
  const path = url.pathname.replace(/\/+$/, '')
  if (path.endsWith(ours)) return url.origin + path
  if (/\/callbacks(\/|$)/.test(path)) {
    throw new Error(`the path of the URL is not ${ours}: give the part before /callbacks, the rest is added`)
  }
  return url.origin + path + ours
}

const portsTaken = [
  [80, 80],
  [443, 443],
  [9_001, 9_006],
  [50_551, 50_559],
  [28_200, 28_220],
] as const

export function doubtsAboutService(serviceName: string): string[] {
  return callbackServices.has(serviceName) ? [] : [`${serviceName} is no callback service that Verizon names`]
}

/** What ThingSpace may dislike about the registration, or what others could read from it. */
export function doubtsAbout(url: string, { serviceName }: ListenerName): string[] {
  const { protocol, port, hostname } = new URL(url)
  const number = Number(port === '' ? { 'https:': 443, 'http:': 80 }[protocol] : port)
  const local = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
  const doubts = doubtsAboutService(serviceName)
  if (local) return doubts
  // [DOC] REG
  if (!portsTaken.some(([from, to]) => number >= from && number <= to)) {
    doubts.push(`ThingSpace takes only the ports 80, 443, 9001-9006, 28200-28220 and 50551-50559, not ${number}`)
  }
  if (protocol === 'http:') doubts.push('without https the credentials of every callback can be read on their way')
  return doubts
}
