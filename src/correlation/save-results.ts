import { type Kysely, sql } from 'kysely'
import { rowsOf } from '../database/rows.ts'
import type { Tables } from '../database/tables.ts'
import type { Arrival } from './working-set.ts'

export interface StoredResult {
  arrival: Arrival
  accountName: string
  targetNumber: number | null
}

/** Keeps what was said of whom, so that targets and profiles can be folded anew at any time. */
export async function saveResults(db: Kysely<Tables>, results: readonly StoredResult[]): Promise<void> {
  if (results.length === 0) return
  const rows = results.map(({ arrival, accountName, targetNumber }) => ({
    source_id: arrival.sourceId,
    ordinal: arrival.ordinal,
    source: arrival.source,
    activation_id: arrival.activationId,
    target_number: targetNumber,
    account_name: accountName,
    result: arrival.report.result,
    fault_code: arrival.report.faultCode,
    fault_message: arrival.report.faultMessage,
    ...arrival.report.identifiers,
    facts: arrival.report.facts,
    at: arrival.at,
  }))
  await sql`
    insert into results (source_id, ordinal, source, activation_id, target_number, account_name, result, fault_code,
      fault_message, eid, iccid, imei, facts, at)
    select source_id, ordinal, source, activation_id, target_number, account_name, result, fault_code,
      fault_message, eid, iccid, imei, facts, at
    from ${rowsOf(
      rows,
      `source_id uuid, ordinal smallint, source text, activation_id bigint, target_number integer, account_name text,
       result text, fault_code text, fault_message text, eid text, iccid text, imei text, facts json, at timestamptz`,
    )}`.execute(db)
}
