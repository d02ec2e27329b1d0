import { rows, statement } from '../database/statement.ts'
import type { Write } from '../database/write-together.ts'
import type { Arrival } from './working-set.ts'

export interface StoredResult {
  arrival: Arrival
  accountName: string
  targetNumber: number | null
}

/** Keeps what was said about whom, so that targets and profiles can be folded again at any time. */
export function resultsToSave(results: readonly StoredResult[]): Write {
  const said = results.map(({ arrival, accountName, targetNumber }) => ({
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
  return { statement: insertResults, rows: said }
}

const columns = `source_id, ordinal, source, activation_id, target_number, account_name, result, fault_code,
  fault_message, eid, iccid, imei, facts, at`

const insertResults = statement`
  insert into results (${columns}) select ${columns} from ${rows(
    `source_id uuid, ordinal smallint, source text, activation_id bigint, target_number integer, account_name text,
     result text, fault_code text, fault_message text, eid text, iccid text, imei text, facts json, at timestamptz`,
  )}`
