import { IdAnswer, ListenersAnswer, RegisteredAnswer, RequestAnswer, StatusAnswer } from './answers.ts'
import { type AnswerSchema, type CarrierCall, type CarrierHost, call, pathStep, readBaseUrl } from './call.ts'
import { CarrierError } from './carrier-error.ts'
import type { Credentials } from './login.ts'
import type { ProfileOperation, ProfileRequest } from './profile-request.ts'
import { requestBody } from './profile-request.ts'
import { readErrorBody } from './read-error-body.ts'
import { createSession } from './session.ts'
import { memorySessionStore, type SessionStore } from './session-store.ts'

export interface ThingSpaceOptions extends Credentials {
  /** `https://thingspace.verizon.com`, or a simulator. */
  baseUrl: string
  store?: SessionStore
  /** Per HTTP exchange; logins count separately. Default 30 s. */
  timeoutMs?: number
  /** Default 8 MiB: the status of a request for 10,000 profiles alone is about 2. */
  maxAnswerBytes?: number
  /** Epoch milliseconds, for tests. */
  now?: () => number
}

export interface RequestStatus {
  requestId: string
  /** Not to be trusted: Verizon's own example says Success with one part Pending [EX] RSV2. */
  status: string
  subRequests: { ids: { id: string; kind: string }[]; status: string }[]
}

export interface ListenerRegistration {
  /** The callback service, e.g. `CarrierService`. */
  name: string
  url: string
  username: string
  password: string
}

export interface RegisteredListener {
  accountName: string
  serviceName: string
  url: string
  username: string | null
  /** The carrier shows it in clear [DOC] LIST. A function, so that nothing prints it by accident. */
  revealPassword(): string | null
}

export interface ThingSpaceClient {
  /** Does what every call begins with, which may take minutes: a call right after this is sent at once. */
  signIn(): Promise<void>
  activate(request: ProfileRequest): Promise<{ requestId: string }>
  /** Any of the profile operations: the same path, another last step. */
  perform(operation: ProfileOperation, request: ProfileRequest): Promise<{ requestId: string }>
  requestStatus(accountName: string, requestId: string): Promise<RequestStatus>
  registerListener(accountName: string, listener: ListenerRegistration): Promise<void>
  listListeners(accountName: string): Promise<RegisteredListener[]>
  deregisterListener(accountName: string, serviceName: string): Promise<void>
  /** For a person who has corrected the credentials. */
  clearLoginLatch(): Promise<void>
}

/** Of a deregistration no answer is documented; an error may come with 200. */
const anythingButError: AnswerSchema<unknown> = {
  Check: (value): value is unknown => value !== undefined && readErrorBody(JSON.stringify(value)).errorCode === null,
}

/**
 * ThingSpace, as far as we use it. Every method throws a CarrierError when the carrier does not do it;
 * anything else thrown comes from the session store, and then nothing was sent.
 */
export const createThingSpaceClient = (options: ThingSpaceOptions): ThingSpaceClient => {
  const { key, secret, username, password, store = memorySessionStore(), now = Date.now } = options
  const host: CarrierHost = {
    baseUrl: readBaseUrl(options.baseUrl),
    timeoutMs: options.timeoutMs ?? 30_000,
    maxAnswerBytes: options.maxAnswerBytes ?? 8 * 1024 * 1024,
    secrets: [key, secret, password],
  }
  const session = createSession(host, { key, secret, username, password }, store, now)

  const ask = async <T>(request: Omit<CarrierCall, 'headers'>, schema: AnswerSchema<T>): Promise<T> => {
    const attempt = async (pass: { accessToken: string; sessionToken: string }) => {
      const headers = { authorization: `Bearer ${pass.accessToken}`, 'vz-m2m-token': pass.sessionToken }
      const typed = request.method === 'POST' ? { ...headers, 'content-type': 'application/json' } : headers
      const value = await call(host, { ...request, headers: typed }, schema)
      await session.used(pass)
      return value
    }
    const pass = await session.current()
    try {
      return await attempt(pass)
    } catch (error) {
      // Repeating is safe, even for an activation, only because this refusal comes before the request is looked at.
      if (!(error instanceof CarrierError) || error.kind !== 'unauthorized') throw error
    }
    return attempt(await session.renew(pass))
  }

  const perform = async (operation: ProfileOperation, request: ProfileRequest) => {
    const path = `/api/m2m/v1/devices/profile/actions/${operation}`
    const body = JSON.stringify(requestBody(request))
    const { requestId } = await ask({ during: operation, method: 'POST', path, body }, RequestAnswer)
    return { requestId }
  }

  const callbacks = (accountName: string) => `/api/m2m/v1/callbacks/${pathStep(accountName)}`

  return {
    signIn: async () => void (await session.current()),
    perform,
    activate: request => perform('activate', request),
    requestStatus: async (accountName, requestId) => {
      const path = `/api/m2m/v2/accounts/${pathStep(accountName)}/requests/${pathStep(requestId)}/status`
      const during = 'request status'
      const answer = await ask({ during, method: 'GET', path }, StatusAnswer)
      if (answer.requestId !== requestId) {
        throw new CarrierError({ kind: 'bad-answer', during, outcome: 'unknown', reason: 'about another request' })
      }
      const subRequests = (answer.subRequests ?? []).map(({ ids, status }) => ({
        ids: Array.isArray(ids) ? ids.filter(id => IdAnswer.Check(id)) : [],
        status: word(status),
      }))
      return { requestId, status: word(answer.status), subRequests }
    },
    registerListener: async (accountName, { name, url, username, password }) => {
      const body = JSON.stringify({ name, url, username, password })
      const path = callbacks(accountName)
      const secrets = [password]
      await ask({ during: 'listener registration', method: 'POST', path, body, secrets }, RegisteredAnswer)
    },
    listListeners: async accountName => {
      const path = callbacks(accountName)
      const listed = await ask({ during: 'listener list', method: 'GET', path }, nullable(ListenersAnswer))
      return (listed ?? []).map(({ serviceName, url, username, password, ...rest }) => ({
        accountName: rest.accountName ?? accountName,
        serviceName,
        url,
        username: username ?? null,
        revealPassword: () => password ?? null,
      }))
    },
    deregisterListener: async (accountName, serviceName) => {
      const path = `${callbacks(accountName)}/name/${pathStep(serviceName)}`
      await ask({ during: 'listener deregistration', method: 'DELETE', path }, anythingButError)
    },
    clearLoginLatch: session.clearLatch,
  }
}

const word = (said: unknown): string => (typeof said === 'string' ? said : '')

const nullable = <T>(schema: AnswerSchema<T>): AnswerSchema<T | null> => ({
  Check: (value): value is T | null => value === null || schema.Check(value),
})
