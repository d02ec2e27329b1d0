// What the API answers, as far as the page shows it. /openapi.json says all of it.
export interface Minute {
  minute: string
  count: number
  byVerdict: Record<string, number>
}

export interface Summary {
  profiles: { state: string | null; profileRole: string | null; profileStatus: string | null; count: number }[]
  activations: Record<string, number>
  callbacks: { byVerdict: Record<string, number>; perMinute: Minute[] }
  oldestUnmatchedAt: string | null
  oldestPendingAt: string | null
}

export interface Counts {
  targets: number
  pending: number
  warning: number
  succeeded: number
  failed: number
  conflict: number
}

export interface Activation {
  requestId: string
  accountName: string
  operation: string
  servicePlan: string | null
  submittedAt: string
  expectedBy: string | null
  settledAt: string | null
  status: string
  overdue: boolean
  counts: Counts
  timeToCallbackMs: { p50: number | null; p95: number | null; max: number | null }
}

export interface Target {
  eid: string | null
  iccid: string | null
  imei: string | null
  /** False: a callback named a device that nobody asked for. */
  requested: boolean
  result: string
  overdue: boolean
  faultCode: string | null
  faultMessage: string | null
  source: string | null
  settledAt: string | null
  callbacks: number
}

export interface Profile {
  iccid: string
  eid: string | null
  imei: string | null
  mdn: string | null
  msisdn: string | null
  accountName: string
  state: string | null
  profileStatus: string | null
  profileRole: string | null
  servicePlan: string | null
  addressUpdate: { status: string | null; code: string | null; description: string | null } | null
  hasCredential: boolean
  flags: string[]
  lastResult: {
    requestId: string
    operation: string
    result: string
    faultCode: string | null
    faultMessage: string | null
    source: string | null
  }
  changedAt: string
  confirmedAt: string
}

export interface Device {
  eid: string | null
  imei: string | null
  profiles: Profile[]
}

export interface Callback {
  callbackId: string
  accountName: string
  serviceName: string
  requestId: string | null
  verdict: string
  reason: string | null
  receivedAt: string
  lastSeenAt: string
  timesSeen: number
  result: string | null
  faultCode: string | null
  faultMessage: string | null
  deviceIds: { kind: string; id: string }[]
  body: unknown
}

export interface Change {
  cursor: string
  at: string
  kind: string
  requestId: string | null
  iccid: string | null
  from: Record<string, string | boolean | null> | null
  to: Record<string, string | boolean | null>
  cause: { callbackId: string | null; source: string }
}

export interface Page<Item> {
  items: Item[]
  next: string | null
  prev: string | null
}

export interface Reprocessed {
  matched: number
  reprocessed: number
  verdicts: Record<string, number>
  dryRun: boolean
}

/** The state of the page's connection to the feed of changes. */
export type Connection = 'connecting' | 'live' | 'away' | 'refused'

/** What a view has loaded so far: `value` stays while a newer one is being loaded or can't be had. */
export interface Loaded<Value> {
  value: Value | null
  error: import('./api.js').ApiError | null
}
