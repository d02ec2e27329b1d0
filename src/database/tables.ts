import type { ColumnType, Generated } from 'kysely'

/** Rows as they come from the driver: bigint as text, times as Date with milliseconds, json already parsed. */
export interface Tables {
  activations: ActivationsTable
  targets: TargetsTable
  callbacks: CallbacksTable
  results: ResultsTable
  profiles: ProfilesTable
  changes: ChangesTable
  outgoing_activations: OutgoingActivationsTable
  sealed_keys: SealedKeysTable
  audit: AuditTable
  api_tokens: ApiTokensTable
  listeners: ListenersTable
  listener_credentials: ListenerCredentialsTable
  thingspace_session: ThingSpaceSessionTable
}

export interface ActivationsTable {
  id: ColumnType<string, never, never>
  account_name: string
  request_id: string
  recorded_at: Date | null
  request_digest: Buffer | null
  operation: string
  service_plan: string | null
  mdn_zip_code: string | null
  submitted_at: Date
  expected_by: Date | null
  settled_at: Date | null
  status: string
  overdue: boolean
  targets: number
  pending: number
  warning: number
  succeeded: number
  failed: number
  conflict: number
  version: number
}

export interface TargetsTable {
  activation_id: string
  number: number
  requested: boolean
  eid: string | null
  iccid: string | null
  imei: string | null
  learned_eid: string | null
  learned_iccid: string | null
  learned_imei: string | null
  evidence: unknown
  result: string
  fault_code: string | null
  fault_message: string | null
  source: string | null
  callbacks: number
  overdue: boolean
  first_result_at: Date | null
  settled_at: Date | null
}

export interface CallbacksTable {
  id: string
  account_name: string
  service_name: string
  activation_id: string | null
  fingerprint: string
  verdict: string
  reason: string | null
  received_at: Date
  last_seen_at: Date
  times_seen: Generated<number>
  highest_callback_count: number | null
  body: string | null
  sealed: Buffer | null
  seal_key_id: string | null
}

export interface ResultsTable {
  source_id: string
  ordinal: number
  source: string
  activation_id: string
  target_number: number | null
  account_name: string
  result: string
  fault_code: string | null
  fault_message: string | null
  eid: string | null
  iccid: string | null
  imei: string | null
  facts: unknown
  at: Date
}

export interface ProfilesTable {
  iccid: string
  account_name: string
  eid: string | null
  imei: string | null
  mdn: string | null
  msisdn: string | null
  state: string | null
  profile_status: string | null
  profile_role: string | null
  service_plan: string | null
  address_update: unknown
  credential_callback_id: string | null
  credential_digest: string | null
  activation_id: string
  evidence: unknown
  result: string
  fault_code: string | null
  fault_message: string | null
  source: string
  spoken_submitted_at: Date
  spoken_final: boolean
  spoken_at: Date
  spoken_by: string
  changed_at: Date
  confirmed_at: Date
  version: number
}

export interface ChangesTable {
  id: Generated<string>
  at: Date
  kind: string
  account_name: string
  request_id: string | null
  iccid: string | null
  eid: string | null
  was: unknown
  becomes: unknown
  callback_id: string | null
  source: string
  profile: unknown
}

export interface OutgoingActivationsTable {
  id: Generated<string>
  request_id: string
  account_name: string
  operation: string | null
  service_plan: string | null
  mdn_zip_code: string | null
  devices: unknown
  submitted_at: Date | null
  inserted_at: Generated<Date>
  taken_at: Date | null
  problem: string | null
}

export interface SealedKeysTable {
  name: string
  sealed: Buffer
  seal_key_id: string
}

export interface AuditTable {
  id: Generated<string>
  at: Generated<Date>
  who: string
  action: string
  account_name: string | null
  iccid: string | null
  callback_id: string | null
}

export interface ApiTokensTable {
  id: Generated<string>
  name: string
  digest: Buffer
  scopes: string[]
  accounts: string[]
  created_at: Generated<Date>
  revoked_at: Date | null
}

export interface ListenersTable {
  account_name: string
  service_name: string
  url: string
  created_at: Generated<Date>
  registered_at: Date | null
  deregistered_at: Date | null
}

export interface ListenerCredentialsTable {
  id: Generated<string>
  account_name: string
  service_name: string
  username: string
  digest: Buffer
  created_at: Generated<Date>
  confirmed_at: Date | null
  accepted_until: Date | null
}

export interface ThingSpaceSessionTable {
  identity: string
  sealed: Buffer | null
  seal_key_id: string | null
  session_digest: Buffer | null
  token_renew_at: Date | null
  token_ends_at: Date | null
  session_used_at: Date | null
  refused_logins: number
}
