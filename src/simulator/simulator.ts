import Fastify, { type FastifyInstance } from 'fastify'
import { type AskedCall, createAskedLog } from './asked.ts'
import { createCarrier } from './carrier.ts'
import { controlRoutes } from './control-routes.ts'
import { createDelivery } from './deliver.ts'
import { Refusal, unified } from './error-answer.ts'
import { createGate } from './gate.ts'
import { createLedger, type LedgerEntry } from './ledger.ts'
import { listenerRoutes } from './listener-routes.ts'
import { createListeners, type ListenerWish } from './listeners.ts'
import { makeDevices } from './make-identifiers.ts'
import { profileRoutes } from './profile-routes.ts'
import { createProfiles } from './profiles.ts'
import { type SendWish, sendMessage } from './send-message.ts'
import { type AcceptedCredentials, createSessions } from './sessions.ts'
import { changeSettings, type Settings } from './settings.ts'
import { signInRoutes } from './sign-in-routes.ts'
import { createTimers } from './timers.ts'

export interface SimulatorOptions {
  /** Decides every misbehaviour; printed and returned so that a run can be repeated. Default: random. */
  seed?: number
  settings?: Partial<Settings>
  listeners?: ListenerWish[]
  /** What it accepts; whatever is not given, any value is right. */
  credentials?: AcceptedCredentials
  /** The accounts that exist. Default: all. */
  accounts?: readonly string[]
  /** Callbacks under way at once. Default 64. */
  concurrency?: number
  /** Also post to hosts other than this one. */
  allowAnyHost?: boolean
}

export interface BurstWish {
  accountName: string
  count: number
  servicePlan?: string
  /** SGP.22: asked for by EID and IMEI, the ICCID comes with the callback. */
  consumer?: boolean
}

export interface SimulatorState {
  seed: number
  requests: number
  profiles: number
  callbacks: ReturnType<ReturnType<typeof createLedger>['counts']>
  open: number
  sessions: number
  locked: boolean
  listeners: { accountName: string; serviceName: string; url: string; rotatedAt: string | null }[]
}

export interface SimulatorControl {
  seed: number
  /** The settings, after changing those that are named. */
  settings(changes?: Partial<Settings>): Settings
  /** Every callback that was, will be or was not sent. */
  ledger(): LedgerEntry[]
  /** Every call that was answered. */
  asked(): AskedCall[]
  state(): SimulatorState
  /** Registers without the API. */
  listen(listener: ListenerWish): void
  /** An activation as if another program had asked for it; its callbacks go out by the settings. */
  burst(wish: BurstWish): { requestId: string; devices: ReturnType<typeof makeDevices> }
  /** One message of any content. Resolves after its first attempt. */
  send(wish: SendWish): Promise<LedgerEntry>
  /** All tokens and sessions end now. */
  expireSessions(): void
  /** What Verizon's support does after five wrong passwords. */
  unlock(): void
  /** Resolves when nothing is under way and nothing is still to come, late ones and retries included. */
  idle(): Promise<void>
}

/** A Fastify app that speaks the carrier's side, and the handles to steer it. Closing the app stops everything. */
export const createSimulator = (
  options: SimulatorOptions = {},
): { app: FastifyInstance; control: SimulatorControl } => {
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31)
  let settings = changeSettings({}, options.settings ?? {})
  const readSettings = () => settings

  const timers = createTimers()
  const ledger = createLedger()
  const askedLog = createAskedLog()
  const profiles = createProfiles(seed)
  const listeners = createListeners(options.allowAnyHost ?? false)
  const sessions = createSessions(options.credentials ?? {}, () => settings.timeScale)
  const { concurrency = 64 } = options
  const delivery = createDelivery({ seed, settings: readSettings, listeners, ledger, timers, concurrency })
  const carrier = createCarrier({ seed, settings: readSettings, profiles, delivery, timers })
  const gate = createGate(seed, readSettings, sessions)
  for (const listener of options.listeners ?? []) listeners.register(listener)
  let handedOut = 0

  const control: SimulatorControl = {
    seed,
    settings: (changes = {}) => {
      settings = changeSettings(settings, changes)
      return { ...settings }
    },
    ledger: ledger.all,
    asked: askedLog.all,
    state: () => ({
      seed,
      requests: carrier.count(),
      profiles: profiles.count(),
      callbacks: ledger.counts(),
      open: delivery.open(),
      ...sessions.state(),
      listeners: listeners.all().map(({ accountName, serviceName, url, rotatedAt }) => ({
        accountName,
        serviceName,
        url,
        rotatedAt: rotatedAt === 0 ? null : new Date(rotatedAt).toISOString(),
      })),
    }),
    listen: listeners.register,
    burst: ({ accountName, count, servicePlan = null, consumer = false }) => {
      const devices = makeDevices(seed, count, consumer, handedOut)
      handedOut += count
      const asked = devices.map(({ deviceIds }) => Object.fromEntries(deviceIds.map(({ kind, id }) => [kind, id])))
      const { requestId } = carrier.accept({ accountName, operation: 'activate', servicePlan, devices: asked })
      return { requestId, devices }
    },
    send: wish => sendMessage(delivery, wish),
    expireSessions: sessions.expireAll,
    unlock: sessions.unlock,
    idle: delivery.idle,
  }

  // 10,000 devices with three identifiers each are about 1.5 MB.
  const app = Fastify({ logger: false, bodyLimit: 8 * 1024 * 1024, forceCloseConnections: true })
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof Refusal)) {
      const { statusCode = 500 } = error as { statusCode?: number }
      const answer = unified('INPUT_INVALID.Body', 'INPUT_INVALID. The request could not be read', statusCode)
      return reply.code(answer.status).type(answer.type).send(answer.body)
    }
    if (error.retryAfterSeconds !== null) reply.header('retry-after', error.retryAfterSeconds)
    return reply.code(error.answer.status).type(error.answer.type).send(error.answer.body)
  })
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.url.startsWith('/api/')) askedLog.add(describe(request, reply.statusCode, payload))
    return payload
  })
  app.addHook('onClose', async () => {
    timers.stopAll()
    delivery.stop()
  })
  signInRoutes(app, gate, sessions)
  profileRoutes(app, { seed, settings: readSettings, carrier, gate, timers, accounts: options.accounts ?? null })
  listenerRoutes(app, gate, listeners)
  controlRoutes(app, control)
  return { app, control }
}

const describe = (
  { method, url, body }: { method: string; url: string; body: unknown },
  status: number,
  payload: unknown,
): AskedCall => {
  const { devices } = (body ?? {}) as { devices?: unknown }
  const requestId = typeof payload === 'string' ? /^\{"requestId":"([^"]+)"/.exec(payload)?.[1] : undefined
  return {
    at: new Date().toISOString(),
    method,
    path: url,
    status,
    requestId: requestId ?? null,
    devices: Array.isArray(devices) ? devices.length : null,
  }
}
