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

/** A callback with its key names in one spelling and its lists as lists: what `foldCallback` makes of a message. */
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

/** Thrown by `foldCallback`: one field occurs in two spellings, so nobody can say which one is meant. */
export class AmbiguousField extends Error {
  override name = 'AmbiguousField'
}

/**
 * The fields we read, under the seed's spelling: `RequestId` becomes `requestId`, `Device: [{Kind, Identifier}]`
 * becomes `deviceIds: [{kind, id}]`, an object where a list is meant becomes a list of one.
 */
export function foldCallback(message: JsonObject): JsonObject {
  return fold(message, topFields)
}

/** How the value of a field is read; undefined and null count as no field. */
type Read = (value: unknown) => unknown

interface Field {
  name: string
  read: Read
}

type Fields = ReadonlyMap<string, Field>

/** Our fields, by their names in lower case and by their other names. */
function fields(ours: Record<string, Read>, aliases: Record<string, string> = {}): Fields {
  const known = new Map(Object.entries(ours).map(([name, read]) => [name.toLowerCase(), { name, read }]))
  for (const [alias, name] of Object.entries(aliases)) known.set(alias, { name, read: ours[name] as Read })
  return known
}

/** A number that a double can't hold is an object in memory, but must be treated as a number. */
const plain: Read = value => {
  const digits = rawNumber(value)
  return digits === null ? value : Number(digits)
}

/** A counter keeps its digits. */
const counter: Read = value => rawNumber(value) ?? value

function objectOf(known: Fields): Read {
  return value => {
    const read = plain(value)
    return isObject(read) ? fold(read, known) : read
  }
}

function listOf(known: Fields): Read {
  const item = objectOf(known)
  return value => (Array.isArray(value) ? value.map(item) : [item(value)])
}

const deviceIdFields = fields({ id: plain, kind: plain }, { identifier: 'id' })
const deviceIds = listOf(deviceIdFields)

const profileFields = fields({
  ...Object.fromEntries(Object.keys(ProfileResponse.properties).map(name => [name, plain])),
  deviceIdentifierCollection: deviceIds,
  euiccSubAddressUpdateStatusCode: counter,
})
const responseFields = fields({ deviceProfileResponse: listOf(profileFields), status: plain, callbackCount: counter })
const topFields = fields(
  {
    requestId: plain,
    deviceIds,
    deviceResponse: listOf(responseFields),
    faultResponse: objectOf(fields({ faultcode: plain, faultstring: plain })),
    status: plain,
    callbackCount: counter,
    username: plain,
    password: plain,
  },
  { device: 'deviceIds' },
)

/** A field that is null is kept as undefined, so that a second spelling of it is noticed. */
function fold(from: JsonObject, known: Fields): JsonObject {
  const folded: JsonObject = {}
  for (const key of Object.keys(from)) {
    const field = known.get(key) ?? known.get(key.toLowerCase())
    if (field === undefined) continue
    if (field.name in folded) throw new AmbiguousField(`${field.name} stands under two spellings`)
    const value = from[key]
    folded[field.name] = value === null ? undefined : field.read(value)
  }
  return folded
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
