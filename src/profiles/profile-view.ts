import Type, { type Static } from 'typebox'
import { shapeOf } from '../operating/etag.ts'
import { Maybe, Time } from '../operating/schemas.ts'
import { identifierFlag, identifierKinds } from '../thingspace/identifiers.ts'
import type { AddressUpdate } from '../thingspace/report.ts'
import type { FoundProfile } from './find-profiles.ts'

const Text = Maybe(Type.String())

/** [DOC] seed: it "will show what request was made". */
export const whatProfileStatusSays =
  "ThingSpace's profileStatus; its page says it shows what request was made [DOC], so it may not be the state on the device [INF]"

/** The identifiers are made up. */
const profileExample = {
  iccid: '89999000000000000015',
  eid: '89001000000000000000000000000177',
  imei: '001013000000010',
  mdn: '5555550101',
  msisdn: '15555550101',
  accountName: '0000123456-00001',
  state: 'ACTIVE',
  profileStatus: 'ENABLE',
  profileRole: 'LEAD',
  servicePlan: 'EXAMPLE_PLAN',
  addressUpdate: { status: 'EXECUTED_SUCCESS', code: '1', description: 'Line processed successfully' },
  hasCredential: true,
  flags: [],
  lastResult: {
    requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8',
    operation: 'activate',
    result: 'succeeded',
    faultCode: null,
    faultMessage: null,
    source: 'callback',
  },
  changedAt: '2026-11-23T18:47:00.000Z',
  confirmedAt: '2026-11-23T18:47:00.000Z',
  version: 1,
}
const deviceExample = { eid: profileExample.eid, imei: profileExample.imei, profiles: [profileExample] }

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
    profileStatus: Maybe(Type.String({ description: whatProfileStatusSays, examples: ['ENABLE'] })),
    profileRole: Maybe(
      Type.String({ description: 'LEAD: Verizon; LOCAL: a global carrier [DOC]', examples: ['LEAD'] }),
    ),
    servicePlan: Text,
    addressUpdate: Maybe(Type.Object({ status: Text, code: Text, description: Text })),
    hasCredential: Type.Boolean({ description: 'whether a callback brought a deviceCredential; /credential shows it' }),
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
    version: Type.Integer({ description: 'grows with every change, also when only the login is another' }),
  },
  { $id: 'Profile', title: 'Profile', examples: [profileExample] },
)
export type ProfileView = Static<typeof ProfileView>

export const DeviceView = Type.Object(
  { eid: Text, imei: Text, profiles: Type.Array(ProfileView) },
  { $id: 'Device', title: 'Device', examples: [deviceExample] },
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

/**
 * A device is its profiles; its own identifiers are those of the profile confirmed last. There must be at least one
 * row.
 */
export function deviceView(rows: readonly FoundProfile[]): DeviceView {
  const byConfirmation = rows.toSorted((one, other) => other.confirmed_at.getTime() - one.confirmed_at.getTime())
  return {
    eid: byConfirmation.find(row => row.eid !== null)?.eid ?? null,
    imei: byConfirmation.find(row => row.imei !== null)?.imei ?? null,
    profiles: rows.map(profileView),
  }
}

const shape = shapeOf(ProfileView)

/** Everything that decides how a profile is shown: for its ETag, cheaper than the answer itself. */
export function profileTagParts(row: FoundProfile): unknown[] {
  return [
    shape,
    row.iccid,
    row.account_name,
    row.version,
    row.confirmed_at.getTime(),
    row.operation,
    row.credential_callback_id !== null,
  ]
}

function flagsOf(row: FoundProfile): string[] {
  return identifierKinds.flatMap(kind => {
    const id = row[kind]
    return id === null ? [] : (identifierFlag(kind, id) ?? [])
  })
}
