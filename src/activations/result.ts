/** What a target's messages add up to. Only a status poll or a person can settle a `conflict`. */
export type Result = 'pending' | 'warning' | 'succeeded' | 'failed' | 'conflict'
export type Source = 'callback' | 'poll' | 'manual'

/** One thing that one message says of one target. */
export interface Statement {
  source: Source
  result: 'warning' | 'succeeded' | 'failed'
  faultCode: string | null
  faultMessage: string | null
  /** When we took it in: of several polls, or of several decisions by a person, the latest counts. */
  at: Date
}

/** The sum of the distinct statements about one target: addition is commutative, so order can't matter. */
export interface Evidence {
  warnings: number
  successes: number
  faults: number
  fault: Fault | null
  /** The fault that a warning named, e.g. a request on hold: shown as long as no final fault says more. */
  warningFault: Fault | null
  poll: Verdict | null
  manual: Verdict | null
}

export interface Fault {
  code: string | null
  message: string | null
}

interface Verdict {
  result: 'succeeded' | 'failed'
  at: string
}

export const noEvidence: Evidence = {
  warnings: 0,
  successes: 0,
  faults: 0,
  fault: null,
  warningFault: null,
  poll: null,
  manual: null,
}

/** Adds a statement that was not added before; whether it was is for the database to say, by its fingerprint. */
export function addStatement(evidence: Evidence, statement: Statement): Evidence {
  const { result, source } = statement
  const fault = result === 'failed' ? leastFault(evidence.fault, statement) : evidence.fault
  if (source !== 'callback') {
    if (result === 'warning') return evidence
    return { ...evidence, fault, [source]: later(evidence[source], { result, at: statement.at.toISOString() }) }
  }
  return {
    ...evidence,
    fault,
    warningFault: result === 'warning' ? leastFault(evidence.warningFault, statement) : evidence.warningFault,
    warnings: evidence.warnings + (result === 'warning' ? 1 : 0),
    successes: evidence.successes + (result === 'succeeded' ? 1 : 0),
    faults: evidence.faults + (result === 'failed' ? 1 : 0),
  }
}

/**
 * Final words beat a warning. Only successes: `succeeded`; only faults: `failed`; both, or a poll that disagrees:
 * `conflict`. A poll settles a disagreement between callbacks; a person settles anything.
 */
export function resultOf(evidence: Evidence): Result {
  return judge(evidence).result
}

/** Who had the last word, for the target's `source`; null as long as nothing was said. */
export function sourceOf(evidence: Evidence): Source | null {
  return judge(evidence).source
}

/** The fault to show: only when a fault is part of the result. */
export function faultOf(evidence: Evidence): Fault {
  const result = resultOf(evidence)
  const shown = result === 'succeeded' || result === 'pending' ? null : (evidence.fault ?? evidence.warningFault)
  return shown ?? { code: null, message: null }
}

export function isSettled(result: Result): boolean {
  return result === 'succeeded' || result === 'failed'
}

function judge({ warnings, successes, faults, poll, manual }: Evidence): { result: Result; source: Source | null } {
  if (manual !== null) return { result: manual.result, source: 'manual' }
  if (successes > 0 && faults > 0) {
    return poll === null ? { result: 'conflict', source: 'callback' } : { result: poll.result, source: 'poll' }
  }
  if (successes > 0 || faults > 0) {
    const said = successes > 0 ? 'succeeded' : 'failed'
    return { result: poll === null || poll.result === said ? said : 'conflict', source: 'callback' }
  }
  if (poll !== null) return { result: poll.result, source: 'poll' }
  return warnings > 0 ? { result: 'warning', source: 'callback' } : { result: 'pending', source: null }
}

/** Any rule that does not depend on order will do: the first one in the alphabet. */
function leastFault(known: Fault | null, { faultCode: code, faultMessage: message }: Statement): Fault | null {
  if (code === null && message === null) return known
  const fault = { code, message }
  return known === null || JSON.stringify(fault) < JSON.stringify(known) ? fault : known
}

function later(known: Verdict | null, verdict: Verdict): Verdict {
  if (known === null || known.at < verdict.at) return verdict
  return known.at === verdict.at && known.result === 'failed' ? verdict : known
}
