import type { Callback, DeviceResponse } from './callback.ts'
import { isFinalFault } from './fault.ts'
import type { Report, ReportedResult } from './report.ts'
import { told } from './words.ts'

export interface Status {
  result: ReportedResult
  known: boolean
  reason: string | null
}

/**
 * `status` in the cases and words that were seen ([EX], fact sheet 2.4). An unknown word settles nothing. The seed's
 * table has a status for each device response, its example one for the message [CONFLICT]: the message's own goes first.
 */
export function readStatus(
  folded: Callback,
  responses: readonly DeviceResponse[] = folded.deviceResponse ?? [],
): Status {
  const status = told(folded.status) ?? responses.map(response => told(response.status)).find(word => word !== null)
  const word = status?.trim().toLowerCase() ?? ''
  const result = results.get(word)
  const { faultCode, faultMessage } = readFault(folded)
  // One that tells nothing leaves the word to the status, where that tells something.
  const isFault = faultCode !== null || faultMessage !== null || result === undefined
  if (folded.faultResponse !== undefined && isFault) {
    const final = isFinalFault(faultCode) && word !== 'warning'
    return { result: final ? 'failed' : 'warning', known: true, reason: null }
  }
  if (result !== undefined) return { result, known: true, reason: null }
  const reason = word === '' ? 'has no status' : 'has a status that is not known'
  return { result: 'warning', known: false, reason }
}

const results = new Map<string, ReportedResult>([
  ['success', 'succeeded'],
  ['failed', 'failed'],
  ['failure', 'failed'],
  ['warning', 'warning'],
  ['pending', 'warning'],
])

export function readFault({ faultResponse }: Callback): Pick<Report, 'faultCode' | 'faultMessage'> {
  return { faultCode: told(faultResponse?.faultcode), faultMessage: told(faultResponse?.faultstring) }
}
