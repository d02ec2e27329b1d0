/** The last step of `/v1/devices/profile/actions/…` (thingspace.md 2.1). All of them answer with a requestId. */
export const profileOperations = [
  'activate',
  'download',
  'enable',
  'download_enable',
  'deactivate',
  'delete',
  'profile_suspend',
  'profile_resume',
  'device_suspend',
  'device_resume',
  'serviceplan',
  'setfallbackattribute',
] as const

export type ProfileOperation = (typeof profileOperations)[number]

export interface ProfileRequest {
  devices: { deviceIds: { kind: string; id: string }[] }[]
  accountName: string
  mdnZipCode?: string | null
  servicePlan?: string | null
  /** For `deactivate`, e.g. `FF`. */
  reasonCode?: string | null
}

/** The body with exactly the documented fields, in the order of the seed's example; what is not given stays out. */
export const requestBody = (request: ProfileRequest): Record<string, unknown> => {
  const devices = request.devices.map(({ deviceIds }) => ({
    deviceIds: deviceIds.map(({ kind, id }) => ({ kind, id })),
  }))
  const { accountName, mdnZipCode, servicePlan, reasonCode } = request
  const optional = Object.entries({ mdnZipCode, servicePlan, reasonCode }).filter(([, value]) => value != null)
  return { devices, accountName, ...Object.fromEntries(optional) }
}
