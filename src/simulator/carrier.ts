import type { ProfileOperation } from '../thingspace/profile-request.ts'
import { callbackBody, deviceCallbackBody } from './callback-body.ts'
import type { Delivery } from './deliver.ts'
import { type PlannedCallback, planCallbacks } from './plan-callbacks.ts'
import type { AskedIds, Profiles, SimulatedProfile } from './profiles.ts'
import { chance, seededUuid } from './random.ts'
import type { Settings } from './settings.ts'
import type { Timers } from './timers.ts'

export interface AcceptedRequest {
  requestId: string
  accountName: string
  operation: ProfileOperation
  acceptedAt: string
  parts: { profile: SimulatedProfile; settlesAt: number; status: 'Success' | 'Failed'; contradicted: boolean }[]
}

export interface AskedRequest {
  accountName: string
  operation: ProfileOperation
  servicePlan: string | null
  devices: AskedIds[]
}

interface Parts {
  seed: number
  settings: () => Settings
  profiles: Profiles
  delivery: Delivery
  timers: Timers
}

const mostRequests = 10_000

/** The carrier's own work: it takes requests, carries them out, and says so by callback. */
export const createCarrier = ({ seed, settings, profiles, delivery, timers }: Parts) => {
  const requests = new Map<string, AcceptedRequest>()
  let taken = 0

  /** Takes a request. `mayAnswer` resolves when its answer may leave: for an early one, after its first callback. */
  const accept = (asked: AskedRequest): { requestId: string; mayAnswer: Promise<unknown> } => {
    const now = settings()
    const requestId = seededUuid(seed, `request ${++taken}`)
    const label = `request ${taken}`
    const early = chance(seed, `${label} early`, now.early)
    const named = asked.devices.flatMap(ids => profilesOf(asked.operation, ids))
    const plans = planCallbacks(now, seed, label, named.length, early)
    const at = Date.now() + now.answerAfterMs
    remember(requests, {
      requestId,
      accountName: asked.accountName,
      operation: asked.operation,
      acceptedAt: new Date().toISOString(),
      parts: plans.map(({ settledAfterMs, status }, index) => ({
        profile: named[index] as SimulatedProfile,
        settlesAt: at + settledAfterMs,
        status,
        contradicted: chance(seed, `${label} ${index} status`, now.statusContradicts),
      })),
    })
    const say = (callback: PlannedCallback) =>
      speak({ ...asked, requestId }, named[callback.profile] as SimulatedProfile, callback, now, early)
    const spoken = plans.flatMap(({ callbacks }) => callbacks).map(say)
    if (isOfDevice(asked.operation)) spoken.push(...closeDevices({ ...asked, requestId }, now))
    const longest = new Promise(resolve => timers.after(2000, () => resolve(null)))
    const mayAnswer = early && spoken.length > 0 ? Promise.race([...spoken, longest]) : Promise.resolve()
    return { requestId, mayAnswer }
  }

  const profilesOf = (operation: ProfileOperation, ids: AskedIds): SimulatedProfile[] => {
    const ofDevice = isOfDevice(operation) && ids.eid !== undefined ? profiles.ofDevice(ids.eid) : []
    return ofDevice.length > 0 ? ofDevice : [profiles.find(ids)]
  }

  const speak = (
    { requestId, accountName, operation, servicePlan }: AskedRequest & { requestId: string },
    profile: SimulatedProfile,
    { says, afterMs, marks }: PlannedCallback,
    now: Settings,
    early: boolean,
  ): Promise<unknown> => {
    const { shape, faultCode } = now
    const addressFault = chance(seed, `${requestId} ${profile.iccid} address`, now.addressFault)
    const body = callbackBody({ requestId, operation, servicePlan, profile, says, faultCode, addressFault, shape })
    const serviceName = serviceOf(operation, now)
    const message = { requestId, accountName, serviceName, says, marks, body, shape }
    if (marks.includes('never')) return Promise.resolve(delivery.withhold(message, 'never'))
    return later(early && afterMs === 0 ? 0 : afterMs + now.answerAfterMs, () => delivery.send(message))
  }

  const closeDevices = (request: AskedRequest & { requestId: string }, now: Settings) => {
    const { requestId, accountName, devices } = request
    const serviceName = serviceOf(request.operation, now)
    const afterMs = now.answerAfterMs + now.callbackAfterMs + now.callbackSpreadMs + 50
    return devices.flatMap(({ eid }) => {
      if (eid === undefined) return []
      const body = deviceCallbackBody(requestId, eid)
      const message = { requestId, accountName, serviceName, says: 'device', marks: [], body, shape: now.shape }
      return [later(afterMs, () => delivery.send(message))]
    })
  }

  /** Counts as open from now on, so that `idle` waits for what is still to be said. */
  const later = (afterMs: number, send: () => Promise<unknown>): Promise<unknown> =>
    new Promise(resolve => {
      delivery.opened()
      timers.after(afterMs, () => {
        send().then(resolve, resolve)
        delivery.closed()
      })
    })

  return { accept, find: (requestId: string) => requests.get(requestId), count: () => taken }
}
export type Carrier = ReturnType<typeof createCarrier>

const isOfDevice = (operation: ProfileOperation) => operation === 'device_suspend' || operation === 'device_resume'

/** No page says which service eSIM callbacks use [GAP]; by the services' definitions this is likely [INF]. */
const serviceOf = (operation: ProfileOperation, settings: Settings): string =>
  /^(download|enable|delete|setfallback)/.test(operation) ? 'DeviceProfileService' : settings.activateService

const remember = (requests: Map<string, AcceptedRequest>, request: AcceptedRequest) => {
  requests.set(request.requestId, request)
  for (const oldest of requests.keys()) {
    if (requests.size <= mostRequests) return
    requests.delete(oldest)
  }
}
