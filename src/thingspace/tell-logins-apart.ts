import type { JsonObject } from './json-message.ts'
import { keyedHash } from './keyed-hash.ts'
import { credentialsIn } from './open-secrets.ts'
import type { Reading } from './read-callback.ts'
import type { Report } from './report.ts'
import type { Secrets } from './secrets-in-callback.ts'

/**
 * Adds to each report about a profile a digest of the login that the message brings for it, so that another login can be
 * told from the same one after both have been sealed.
 */
export function tellLoginsApart(reading: Reading, message: JsonObject, secrets: Secrets, key: Buffer): Reading {
  if (reading.kind !== 'reports') return reading
  const credential = credentialsIn(message, secrets)
  const digestOf = ({ identifiers: { iccid }, facts }: Report): string | null => {
    const login = iccid === null || !facts.hasCredential ? null : credential(iccid)
    return login === null
      ? null
      : keyedHash(key)
          .update(JSON.stringify(['login', iccid, login]))
          .digest('base64url')
  }
  const reports = reading.reports.map(report => {
    const credentialDigest = digestOf(report)
    return credentialDigest === null ? report : { ...report, facts: { ...report.facts, credentialDigest } }
  })
  return { ...reading, reports }
}
