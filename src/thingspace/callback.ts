import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { type JsonObject, rawNumber } from './json-message.ts'

/*
 * The shape of a callback, as tolerant as the evidence asks: no "Callback JSON schema" is published ([GAP], fact
 * sheet 1.1), the seed's table and its example disagree on types ([CONFLICT], 2.4), and key names change case
 * ([EX], set-fallback). Unknown fields are accepted everywhere.
 */
const Text = Type.Union([Type.String(), Type.Null()])
const Counter = Type.Union([Type.Number(), Type.String(), Type.Null()])

export const DeviceId = Type.Object({ id: Type.Optional(Text), kind: Type.Optional(Text) })
export type DeviceId = Static<typeof DeviceId>

export const ProfileResponse = Type.Object({
  deviceIdentifierCollection: Type.Optional(Type.Array(DeviceId)),
  state: Type.Optional(Text),
  servicePlan: Type.Optional(Text),
  profileStatus: Type.Optional(Text),
  profileRole: Type.Optional(Text),
  deviceCredential: Type.Optional(Type.Unknown()),
  euiccSubAddressUpdateStatus: Type.Optional(Text),
  euiccSubAddressUpdateStatusCode: Type.Optional(Counter),
  euiccSubAddressUpdateStatusDesc: Type.Optional(Text),
})
export type ProfileResponse = Static<typeof ProfileResponse>

export const FaultResponse = Type.Object({ faultcode: Type.Optional(Text), faultstring: Type.Optional(Text) })
export type FaultResponse = Static<typeof FaultResponse>

export const DeviceResponse = Type.Object({
  deviceProfileResponse: Type.Optional(Type.Array(ProfileResponse)),
  status: Type.Optional(Text),
  callbackCount: Type.Optional(Counter),
})
export type DeviceResponse = Static<typeof DeviceResponse>

/** A callback with its key names in one case and its lists as lists: what `foldCallback` makes of a message. */
export const Callback = Type.Object({
  requestId: Type.String({ minLength: 1, maxLength: 128 }),
  deviceIds: Type.Optional(Type.Array(DeviceId)),
  deviceResponse: Type.Optional(Type.Array(DeviceResponse)),
  faultResponse: Type.Optional(FaultResponse),
  status: Type.Optional(Text),
  callbackCount: Type.Optional(Counter),
})
export type Callback = Static<typeof Callback>

export const callbackShape = Compile(Callback)

/** Thrown by `foldCallback`: one field stands under two spellings, so nobody can say which one is meant. */
export class AmbiguousField extends Error {
  override name = 'AmbiguousField'
}

/**
 * The fields we read, under the seed's spelling: `RequestId` becomes `requestId`, `Device: [{Kind, Identifier}]`
 * becomes `deviceIds: [{kind, id}]`, an object where a list is meant becomes a list of one.
 */
export function foldCallback(message: JsonObject): JsonObject {
  const top = fold(message, topNames)
  return defined({
    ...top,
    deviceIds: foldList(top.deviceIds, foldDeviceId),
    deviceResponse: foldList(top.deviceResponse, foldDeviceResponse),
    faultResponse: isObject(top.faultResponse) ? fold(top.faultResponse, faultNames) : top.faultResponse,
  })
}

function foldDeviceResponse(response: JsonObject): JsonObject {
  const folded = fold(response, responseNames)
  return defined({ ...folded, deviceProfileResponse: foldList(folded.deviceProfileResponse, foldProfileResponse) })
}

function foldProfileResponse(response: JsonObject): JsonObject {
  const folded = fold(response, profileNames)
  return defined({
    ...folded,
    deviceIdentifierCollection: foldList(folded.deviceIdentifierCollection, foldDeviceId),
  })
}

function foldDeviceId(deviceId: JsonObject): JsonObject {
  return fold(deviceId, deviceIdNames)
}

type Names = ReadonlyMap<string, string>

const topNames = names(
  ['requestId', 'deviceIds', 'deviceResponse', 'faultResponse', 'status', 'callbackCount', 'username', 'password'],
  { device: 'deviceIds' },
)
const responseNames = names(['deviceProfileResponse', 'status', 'callbackCount'])
const profileNames = names(Object.keys(ProfileResponse.properties))
const faultNames = names(['faultcode', 'faultstring'])
const deviceIdNames = names(['id', 'kind'], { identifier: 'id' })

const counters = new Set(['callbackCount', 'euiccSubAddressUpdateStatusCode'])

function names(ours: string[], aliases: Record<string, string> = {}): Names {
  return new Map([...ours.map(name => [name.toLowerCase(), name] as const), ...Object.entries(aliases)])
}

function fold(from: JsonObject, known: Names): JsonObject {
  const folded: JsonObject = {}
  for (const key of Object.keys(from)) {
    const name = known.get(key) ?? known.get(key.toLowerCase())
    if (name === undefined) continue
    if (name in folded) throw new AmbiguousField(`${name} stands under two spellings`)
    folded[name] = plain(from[key], counters.has(name))
  }
  return folded
}

function foldList(value: unknown, foldItem: (item: JsonObject) => JsonObject): unknown {
  if (value === undefined || value === null) return undefined
  const list = Array.isArray(value) ? value : [value]
  return list.map(entry => {
    const item = plain(entry, false)
    return isObject(item) ? foldItem(item) : item
  })
}

/** A number that a double can't hold is an object in memory, but must be judged as a number. A counter keeps its digits. */
function plain(value: unknown, isCounter: boolean): unknown {
  const digits = rawNumber(value)
  if (digits === null) return value
  return isCounter ? digits : Number(digits)
}

function defined(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
