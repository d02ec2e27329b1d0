import { callbackServices } from '../thingspace/callback-services.ts'
import { Refusal, unified } from './error-answer.ts'

export interface ListenerCredentials {
  username: string
  password: string
}

export interface Listener extends ListenerCredentials {
  accountName: string
  serviceName: string
  url: string
  previous: ListenerCredentials | null
  rotatedAt: number
}

export interface ListenerWish {
  accountName: string
  serviceName: string
  url: string
  username?: string
  password?: string
}

/** One listener per account and service. Registering again replaces it: our choice, the carrier's answer is unknown. */
export const createListeners = (allowAnyHost: boolean) => {
  const listeners = new Map<string, Listener>()
  const key = (accountName: string, serviceName: string) => `${accountName} ${serviceName}`

  const register = ({ accountName, serviceName, url, username = '', password = '' }: ListenerWish): Listener => {
    if (!callbackServices.has(serviceName)) throw refused('CallbackService', 'Unknown callback service')
    if (!isHttp(url)) throw refused('CallbackUrl', 'Not an http or https URL')
    // Not the carrier's rule but ours: nobody shall flood a stranger from here.
    if (!allowAnyHost && !isLoopback(url))
      throw refused('CallbackUrl', 'This simulator posts to loopback addresses only')
    // At most 40 characters each [QUOTE] REG.
    if (username.length > 40 || password.length > 40) throw refused('CallbackCredentials', 'Longer than 40 characters')
    const before = listeners.get(key(accountName, serviceName))
    const changed = before && (before.password !== password || before.username !== username)
    const listener: Listener = {
      accountName,
      serviceName,
      url,
      username,
      password,
      previous: changed ? { username: before.username, password: before.password } : (before?.previous ?? null),
      rotatedAt: changed ? Date.now() : (before?.rotatedAt ?? 0),
    }
    listeners.set(key(accountName, serviceName), listener)
    return listener
  }

  return {
    register,
    find: (accountName: string, serviceName: string) => listeners.get(key(accountName, serviceName)),
    ofAccount: (accountName: string) => [...listeners.values()].filter(one => one.accountName === accountName),
    all: () => [...listeners.values()],
    remove: (accountName: string, serviceName: string) => listeners.delete(key(accountName, serviceName)),
  }
}
export type Listeners = ReturnType<typeof createListeners>

const refused = (what: string, message: string) =>
  new Refusal(unified(`INPUT_INVALID.${what}`, `INPUT_INVALID. ${message}`))

const isHttp = (url: string) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)

const isLoopback = (url: string) => /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(new URL(url).hostname)
