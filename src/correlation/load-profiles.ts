import type { Kysely } from 'kysely'
import type { Evidence } from '../activations/result.ts'
import { rows, statement } from '../database/statement.ts'
import type { ProfilesTable, Tables } from '../database/tables.ts'
import { comesBefore, type Profile, type ProfileMessage } from '../profiles/profile.ts'
import type { AddressUpdate } from '../thingspace/report.ts'
import { profileMessage } from './apply-report.ts'
import { loadMessages } from './load-messages.ts'
import { type ActivationState, type Arrival, type ProfileState, profileKey } from './working-set.ts'

export interface ProfileName {
  accountName: string
  iccid: string
}

/** The profiles that the reports name. */
export function profileNamesOf(
  activations: ReadonlyMap<string, ActivationState>,
  arrivals: readonly Arrival[],
): ProfileName[] {
  return [...messagesByProfile(activations, arrivals).values()].map(({ name }) => name)
}

/** Loads all messages of those profiles where a report must be inserted before others that are known already. */
export async function loadLateProfiles(
  db: Kysely<Tables>,
  activations: ReadonlyMap<string, ActivationState>,
  arrivals: readonly Arrival[],
  profiles: ReadonlyMap<string, ProfileState>,
): Promise<void> {
  const late = [...messagesByProfile(activations, arrivals)].flatMap(([key, { name, messages }]) =>
    anyComesBefore(messages, profiles.get(key)?.profile ?? null) ? [name] : [],
  )
  if (late.length > 0) await loadMessagesOf(db, profiles, late)
}

/**
 * Locks profiles, after the activations and always in the same order, so that batches can't deadlock. A profile that is
 * not known yet has no row to lock: its unique key decides whose insert succeeds.
 */
export async function lockProfiles(
  db: Kysely<Tables>,
  now: Date,
  names: readonly ProfileName[],
): Promise<Map<string, ProfileState>> {
  return profileStates(await lockProfileRows(db, names), names, now)
}

export async function lockProfileRows(db: Kysely<Tables>, names: readonly ProfileName[]): Promise<ProfilesTable[]> {
  return lockRows.execute(db, names)
}

const lockRows = statement<ProfilesTable>`
  select p.* from ${rows('"accountName" text, iccid text')}
  join profiles p on p.iccid = r.iccid and p.account_name = r."accountName"
  order by p.iccid, p.account_name
  for update of p`

export function profileStates(
  known: readonly ProfilesTable[],
  names: readonly ProfileName[],
  now: Date,
): Map<string, ProfileState> {
  const profiles = new Map<string, ProfileState>(
    names.map(name => [profileKey(name.accountName, name.iccid), unknownProfile(name, now)]),
  )
  for (const row of known) profiles.set(profileKey(row.account_name, row.iccid), profileState(row))
  return profiles
}

export async function loadMessagesOf(
  db: Kysely<Tables>,
  profiles: ReadonlyMap<string, ProfileState>,
  names: readonly ProfileName[],
): Promise<void> {
  for (const [key, messages] of await loadMessages(db, names)) {
    const state = profiles.get(key)
    if (state !== undefined) state.messages = messages
  }
}

function messagesByProfile(activations: ReadonlyMap<string, ActivationState>, arrivals: readonly Arrival[]) {
  const coming = new Map<string, { name: ProfileName; messages: ProfileMessage[] }>()
  for (const arrival of arrivals) {
    const { iccid } = arrival.report.identifiers
    const activation = activations.get(arrival.activationId)
    if (iccid === null || activation === undefined) continue
    const name = { accountName: activation.accountName, iccid }
    const key = profileKey(name.accountName, iccid)
    const known = coming.get(key) ?? { name, messages: [] }
    coming.set(key, { name, messages: [...known.messages, profileMessage(activation, arrival)] })
  }
  return coming
}

/** Also true when one of them comes before another one of them. */
function anyComesBefore(messages: readonly ProfileMessage[], known: Profile | null): boolean {
  const [first, ...rest] = messages
  if (first === undefined) return false
  return comesBefore(first, known) || rest.length > 0
}

function unknownProfile({ accountName, iccid }: ProfileName, now: Date): ProfileState {
  return {
    iccid,
    accountName,
    profile: null,
    changedAt: now,
    confirmedAt: now,
    version: 0,
    loadedVersion: 0,
    messages: null,
    touched: false,
  }
}

function profileState(row: ProfilesTable): ProfileState {
  return {
    iccid: row.iccid,
    accountName: row.account_name,
    profile: profileOf(row),
    changedAt: row.changed_at,
    confirmedAt: row.confirmed_at,
    version: row.version,
    loadedVersion: row.version,
    messages: null,
    touched: false,
  }
}

export function profileOf(row: ProfilesTable): Profile {
  return {
    eid: row.eid,
    imei: row.imei,
    mdn: row.mdn,
    msisdn: row.msisdn,
    state: row.state,
    profileStatus: row.profile_status,
    profileRole: row.profile_role,
    servicePlan: row.service_plan,
    addressUpdate: row.address_update as AddressUpdate | null,
    credentialCallbackId: row.credential_callback_id,
    credentialDigest: row.credential_digest,
    activationId: row.activation_id,
    evidence: row.evidence as Evidence,
    lastWord: {
      submittedAt: row.spoken_submitted_at,
      activationId: row.activation_id,
      final: row.spoken_final,
      at: row.spoken_at,
      sourceId: row.spoken_by,
    },
  }
}
