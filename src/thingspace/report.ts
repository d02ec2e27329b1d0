/** What one message says of one profile or device. `warning` is not final: a later message says how it ended. */
export type ReportedResult = 'warning' | 'succeeded' | 'failed'

export interface Identifiers {
  eid: string | null
  iccid: string | null
  imei: string | null
}

export interface ProfileFacts {
  mdn: string | null
  msisdn: string | null
  state: string | null
  profileStatus: string | null
  profileRole: string | null
  servicePlan: string | null
  addressUpdate: AddressUpdate | null
  hasCredential: boolean
  /** Of the login, where it could be told: see `tellLoginsApart`. */
  credentialDigest?: string
}

export interface AddressUpdate {
  status: string | null
  code: string | null
  description: string | null
}

export interface Report {
  identifiers: Identifiers
  result: ReportedResult
  faultCode: string | null
  faultMessage: string | null
  facts: ProfileFacts
}
