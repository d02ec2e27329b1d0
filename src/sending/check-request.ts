import type { ActivationRequest } from '../activations/activation-request.ts'
import { targetKey } from '../activations/match-target.ts'
import { normalIdentifier, normalKind } from '../thingspace/identifiers.ts'
import { type ProfileOperation, type ProfileRequest, profileOperations } from '../thingspace/profile-request.ts'
import type { Identifiers } from '../thingspace/report.ts'

/** A request that can be sent: in the carrier's own form, with every identifier normalised. */
export interface Sendable {
  operation: ProfileOperation
  profiles: ProfileRequest
}

/** What is wrong with a request beyond its shape, by device and field and never by value; null when nothing is. */
export function problemOf(request: ActivationRequest): string | null {
  const { operation = 'activate' } = request
  if (!isOperation(operation)) return `operation is not one of ${profileOperations.join(', ')}`
  const seen = new Map<string, number>()
  for (const [at, { deviceIds }] of request.devices.entries()) {
    const asked: Identifiers = { eid: null, iccid: null, imei: null }
    for (const [idAt, { kind, id }] of deviceIds.entries()) {
      const name = normalKind(kind) as keyof Identifiers
      const normal = normalIdentifier(name, id)
      if (!/^\d{1,32}$/.test(normal)) return `devices.${at}.deviceIds.${idAt}.id must be the digits of an ${name}`
      if (asked[name] !== null) return `devices.${at}.deviceIds.${idAt} is a second ${name} of the same device`
      asked[name] = normal
    }
    const key = targetKey(asked)
    const before = seen.get(key)
    if (before !== undefined) return `devices.${before} and devices.${at} are the same device (${key.split(' ')[0]})`
    seen.set(key, at)
  }
  return null
}

/** For a request without a problem. */
export function sendable(request: ActivationRequest): Sendable {
  const { accountName, mdnZipCode = null, servicePlan = null, operation = 'activate' } = request
  if (!isOperation(operation)) throw new RangeError('an operation that ThingSpace does not have')
  const devices = request.devices.map(({ deviceIds }) => ({
    deviceIds: deviceIds.map(({ kind, id }) => ({
      kind: normalKind(kind),
      id: normalIdentifier(normalKind(kind), id),
    })),
  }))
  return { operation, profiles: { accountName, devices, mdnZipCode, servicePlan } }
}

function isOperation(name: string): name is ProfileOperation {
  return (profileOperations as readonly string[]).includes(name)
}
