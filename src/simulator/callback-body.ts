import type { ProfileOperation } from '../thingspace/profile-request.ts'
import type { ListenerCredentials } from './listeners.ts'
import type { SimulatedProfile } from './profiles.ts'
import type { Settings } from './settings.ts'

export type CallbackBody = Record<string, unknown>
export type CallbackShape = Settings['shape']

export interface CallbackSays {
  requestId: string
  operation: ProfileOperation
  servicePlan: string | null
  profile: SimulatedProfile
  says: 'success' | 'fault' | 'warning'
  faultCode: string
  addressFault: boolean
  shape: CallbackShape
}

/** state and profileStatus after each operation. Only activate's is documented [EX] SEED; the others are our guess. */
const after: Record<ProfileOperation, [state: string, profileStatus: string]> = {
  activate: ['ACTIVE', 'ENABLE'],
  download: ['PRE_ACTIVE', 'DOWNLOAD_DISABLE'],
  enable: ['ACTIVE', 'ENABLE'],
  download_enable: ['ACTIVE', 'DOWNLOAD_ENABLE'],
  deactivate: ['DEACTIVE', 'DISABLE'],
  delete: ['DEACTIVE', 'DELETE'],
  profile_suspend: ['SUSPEND', 'DISABLE'],
  profile_resume: ['ACTIVE', 'ENABLE'],
  device_suspend: ['SUSPEND', 'DISABLE'],
  device_resume: ['ACTIVE', 'ENABLE'],
  serviceplan: ['ACTIVE', 'ENABLE'],
  setfallbackattribute: ['ACTIVE', 'ENABLE'],
}

/** LEAD is Verizon, LOCAL a global carrier [DOC]. That a plan's name tells them apart is our invention. */
export const roleOf = (servicePlan: string | null): 'LEAD' | 'LOCAL' =>
  /global|local/i.test(servicePlan ?? '') ? 'LOCAL' : 'LEAD'

/** A callback as it is sent, but for credentials and counters. */
export const callbackBody = (says: CallbackSays): CallbackBody => {
  const { requestId, shape } = says
  if (says.says === 'fault') {
    // [EX] CBERR: two identifiers, status "Failed".
    return withKinds(shape, {
      requestId,
      deviceIds: shortIds(says.profile),
      ...faultOf(says.faultCode),
      status: 'Failed',
    })
  }
  if (says.says === 'warning') {
    // That there is a warning is [DOC] (thingspace.md 2.2); how it is written is not known.
    const deviceIds = shortIds(says.profile)
    const deviceProfileResponse = { deviceIdentifierCollection: deviceIds, profileStatus: 'DISABLE' }
    return withKinds(shape, { requestId, deviceIds, deviceResponse: { deviceProfileResponse }, status: 'warning' })
  }
  const deviceIds = allIds(says.profile)
  const deviceResponse = { deviceProfileResponse: profileResponse(says) }
  return withKinds(shape, { requestId, deviceIds, deviceResponse, status: 'SUCCESS' })
}

/** The closing callback of a whole device, after one for each profile [DOC] GIO-suspend-device; written as we guess. */
export const deviceCallbackBody = (requestId: string, eid: string): CallbackBody => ({
  requestId,
  deviceIds: [{ id: eid, kind: 'Eid' }],
  status: 'SUCCESS',
})

/** The message of one attempt: the listener's credentials in clear first [DOC] CB, the counters last [EX] SEED. */
export const dressed = (
  body: CallbackBody,
  credentials: ListenerCredentials | null,
  callbackCount: number,
  shape: CallbackShape,
): CallbackBody => {
  const counters = { callbackCount, maxCallbackThreshold: 4 }
  const written =
    shape === 'string-counts' ? { callbackCount: `${callbackCount}`, maxCallbackThreshold: '4' } : counters
  const { username, password } = credentials ?? {}
  return { ...(credentials ? { username, password } : {}), ...body, ...written }
}

const profileResponse = ({ profile, operation, servicePlan, addressFault }: CallbackSays) => ({
  deviceIdentifierCollection: allIds(profile),
  state: after[operation][0],
  ...(servicePlan === null ? {} : { servicePlan }),
  deviceCredential: { username: `${profile.mdn}@example.invalid`, password: `secret-${profile.mdn}` },
  profileStatus: after[operation][1],
  // Only the success values are documented; the failure is invented.
  euiccSubAddressUpdateStatus: addressFault ? 'EXECUTED_FAILURE' : 'EXECUTED_SUCCESS',
  euiccSubAddressUpdateStatusCode: addressFault ? '9' : '1',
  euiccSubAddressUpdateStatusDesc: addressFault ? 'Line could not be processed' : 'Line processed successfully',
  profileRole: roleOf(servicePlan),
})

const faultOf = (code: string) => {
  const reason = code.split('.').at(-1) ?? code
  const faultstring = `REQUEST_FAILED. ${reason.replace(/(?<=[a-z])(?=[A-Z])/g, ' ')}`
  return { faultResponse: { faultcode: `UnifiedWebService.${code}`, faultstring } }
}

const shortIds = ({ iccid, imei, eid }: SimulatedProfile) => [
  { id: iccid, kind: 'Iccid' },
  { id: imei, kind: 'Imei' },
  { id: eid, kind: 'Eid' },
]

const allIds = (profile: SimulatedProfile) => [
  ...shortIds(profile),
  { id: profile.mdn, kind: 'mdn' },
  { id: `1${profile.mdn}`, kind: 'msisdn' },
]

const withKinds = (shape: CallbackShape, body: CallbackBody): CallbackBody => {
  if (shape === 'lower-case')
    return rewrite(body, (key, value) => [key, key === 'kind' ? String(value).toLowerCase() : value])
  if (shape === 'pascal-case') return rewrite(body, (key, value) => [pascalKeys[key] ?? key, value])
  // The parameter table types both as arrays, the example shows objects [CONFLICT] SEED.
  if (shape === 'arrays') return rewrite(body, (key, value) => [key, arrayKeys.has(key) ? [value] : value])
  return body
}

const arrayKeys = new Set(['deviceResponse', 'deviceProfileResponse'])

// [EX] EUICC set-fallback.
const pascalKeys: Record<string, string> = {
  requestId: 'RequestId',
  deviceIds: 'Device',
  id: 'Identifier',
  kind: 'Kind',
}

const rewrite = (value: CallbackBody, each: (key: string, value: unknown) => [string, unknown]): CallbackBody => {
  const inside = (one: unknown): unknown => {
    if (Array.isArray(one)) return one.map(inside)
    return typeof one === 'object' && one !== null ? rewrite(one as CallbackBody, each) : one
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => each(key, inside(one))))
}
