import { type Kysely, sql } from 'kysely'
import type { Source } from '../activations/result.ts'
import { rowsOf } from '../database/rows.ts'
import type { ResultsTable, Tables } from '../database/tables.ts'
import type { ProfileMessage } from '../profiles/profile.ts'
import type { ProfileFacts, Report, ReportedResult } from '../thingspace/report.ts'
import type { ProfileName } from './load-profiles.ts'
import { type Arrival, profileKey } from './working-set.ts'

/** Every message that names these profiles, for folding them again. A name without messages gets an empty list. */
export async function loadMessages(
  db: Kysely<Tables>,
  names: readonly ProfileName[],
): Promise<Map<string, ProfileMessage[]>> {
  const messages = new Map<string, ProfileMessage[]>(
    names.map(({ accountName, iccid }) => [profileKey(accountName, iccid), []]),
  )
  if (names.length === 0) return messages
  const { rows } = await sql<ResultsTable & { submitted_at: Date }>`
    select s.*, a.submitted_at from ${rowsOf(names, '"accountName" text, iccid text')}
    join results s on s.iccid = r.iccid and s.account_name = r."accountName"
    join activations a on a.id = s.activation_id
    order by s.source_id, s.ordinal`.execute(db)
  for (const row of rows) messages.get(profileKey(row.account_name, row.iccid ?? ''))?.push(messageOf(row))
  return messages
}

/** A stored result, as it was when it arrived. */
export function arrivalOf(row: ResultsTable): Arrival {
  return {
    sourceId: row.source_id,
    ordinal: row.ordinal,
    source: row.source as Source,
    activationId: row.activation_id,
    at: row.at,
    report: reportOf(row),
  }
}

function reportOf(row: ResultsTable): Report {
  return {
    identifiers: { eid: row.eid, iccid: row.iccid, imei: row.imei },
    result: row.result as ReportedResult,
    faultCode: row.fault_code,
    faultMessage: row.fault_message,
    facts: row.facts as ProfileFacts,
  }
}

function messageOf(row: ResultsTable & { submitted_at: Date }): ProfileMessage {
  return {
    source: row.source as Source,
    result: row.result as ReportedResult,
    faultCode: row.fault_code,
    faultMessage: row.fault_message,
    at: row.at,
    sourceId: row.source_id,
    activationId: row.activation_id,
    submittedAt: row.submitted_at,
    eid: row.eid,
    imei: row.imei,
    facts: row.facts as ProfileFacts,
  }
}
