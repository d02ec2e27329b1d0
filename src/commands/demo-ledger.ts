import type { LedgerEntry } from '../simulator/ledger.ts'

interface ProfileResponse {
  state?: string
  profileStatus?: string
  profileRole?: string
}

/** What the carrier wrote about the profile; empty for a fault. */
export function profileResponseOf(body: LedgerEntry['body']): ProfileResponse {
  const { deviceResponse } = body as { deviceResponse?: { deviceProfileResponse?: ProfileResponse } }
  return deviceResponse?.deviceProfileResponse ?? {}
}

export function faultCodeOf(body: LedgerEntry['body']): string | null {
  const { faultResponse } = body as { faultResponse?: { faultcode?: string } }
  return faultResponse?.faultcode ?? null
}

/** The last word of a code such as `UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive`. */
export function shortFault(code: string | null): string | null {
  return code?.split('.').at(-1) ?? null
}

export function iccidOf({ body }: LedgerEntry): string {
  const { deviceIds = [] } = body as { deviceIds?: { kind: string; id: string }[] }
  return deviceIds.find(({ kind }) => kind === 'Iccid')?.id ?? ''
}
