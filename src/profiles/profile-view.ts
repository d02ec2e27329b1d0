import Type, { type Static } from 'typebox'
import { Maybe, Time } from '../operating/schemas.ts'
import { identifierFlag, identifierKinds } from '../thingspace/identifiers.ts'
import type { AddressUpdate } from '../thingspace/read-callback.ts'
import type { FoundProfile } from './find-profiles.ts'

const Text = Maybe(Type.String())

/** One eSIM profile as the API shows it. States and roles are the carrier's words in upper case, known or not. */
export const ProfileView = Type.Object(
  {
    iccid: Type.String(),
    eid: Text,
    imei: Text,
    mdn: Text,
    msisdn: Text,
    accountName: Type.String(),
    state: Text,
    profileStatus: Text,
    profileRole: Maybe(Type.String({ description: 'LEAD: Verizon; LOCAL: a global carrier', examples: ['LEAD'] })),
    servicePlan: Text,
    addressUpdate: Maybe(Type.Object({ status: Text, code: Text, description: Text })),
    hasCredential: Type.Boolean(),
    flags: Type.Array(Type.String({ examples: ['iccid-check-digit'] })),
    lastResult: Type.Object({
      requestId: Type.String(),
      operation: Type.String(),
      result: Type.Enum(['pending', 'warning', 'succeeded', 'failed', 'conflict']),
      faultCode: Text,
      faultMessage: Text,
      source: Maybe(Type.Enum(['callback', 'poll', 'manual'])),
    }),
    changedAt: Time,
    confirmedAt: Time,
    version: Type.Integer(),
  },
  { $id: 'Profile', title: 'Profile' },
)
export type ProfileView = Static<typeof ProfileView>

export const DeviceView = Type.Object(
  { eid: Text, imei: Text, profiles: Type.Array(ProfileView) },
  { $id: 'Device', title: 'Device' },
)
export type DeviceView = Static<typeof DeviceView>

export function profileView(row: FoundProfile): ProfileView {
  return {
    iccid: row.iccid,
    eid: row.eid,
    imei: row.imei,
    mdn: row.mdn,
    msisdn: row.msisdn,
    accountName: row.account_name,
    state: row.state,
    profileStatus: row.profile_status,
    profileRole: row.profile_role,
    servicePlan: row.service_plan,
    addressUpdate: row.address_update as AddressUpdate | null,
    hasCredential: row.credential_callback_id !== null,
    flags: flagsOf(row),
    lastResult: {
      requestId: row.request_id,
      operation: row.operation,
      result: row.result as ProfileView['lastResult']['result'],
      faultCode: row.fault_code,
      faultMessage: row.fault_message,
      source: row.source as ProfileView['lastResult']['source'],
    },
    changedAt: row.changed_at.toISOString(),
    confirmedAt: row.confirmed_at.toISOString(),
    version: row.version,
  }
}

/** A device is its profiles; its own identifiers are those of the profile confirmed last. Never called with none. */
export function deviceView(rows: readonly FoundProfile[]): DeviceView {
  const byConfirmation = rows.toSorted((one, other) => other.confirmed_at.getTime() - one.confirmed_at.getTime())
  return {
    eid: byConfirmation.find(row => row.eid !== null)?.eid ?? null,
    imei: byConfirmation.find(row => row.imei !== null)?.imei ?? null,
    profiles: rows.map(profileView),
  }
}

/** What decides how a profile is shown: for its ETag, cheaper than the answer itself. */
export function profileTagParts(row: FoundProfile): unknown[] {
  return [row.iccid, row.account_name, row.version, row.confirmed_at.getTime(), row.operation]
}

function flagsOf(row: FoundProfile): string[] {
  return identifierKinds.flatMap(kind => {
    const id = row[kind]
    return id === null ? [] : (identifierFlag(kind, id) ?? [])
  })
}
