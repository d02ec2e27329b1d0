import type { ProfileFacts } from './report.ts'

/**
 * Values that some Verizon page names ([DOC], fact sheet 2.4). Others are kept and shown just the same, but are
 * counted, so that somebody learns of them.
 */
const known = {
  state: new Set([
    'ACTIVE',
    'ACTIVATED',
    'DEACTIVE',
    'DEACTIVATED',
    'SUSPEND',
    'PENDING_ACTIVATION',
    'PENDING_DEACTIVATION',
    'PRE_ACTIVE',
    'ACTIVATION_READY',
    'INVENTORY',
    'PURGED',
    'REPLACED',
    'RETIRED',
    'TEST_READY',
    'UNKNOWN',
  ]),
  profileStatus: new Set([
    'ENABLE',
    'DISABLE',
    'DOWNLOAD_ENABLE',
    'DOWNLOAD_DISABLE',
    'NOT_DOWNLOADED',
    'DELETE',
    'UNKNOWN',
  ]),
  profileRole: new Set(['LEAD', 'LOCAL']),
}

export const fieldsWithKnownValues: readonly string[] = Object.keys(known)

/** The fields whose value no page names. */
export function fieldsWithUnknownValue(facts: ProfileFacts): string[] {
  return Object.entries(known).flatMap(([field, values]) => {
    const value = facts[field as keyof typeof known]
    return value === null || values.has(value) ? [] : [field]
  })
}
