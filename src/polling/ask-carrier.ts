import type { Database } from '../database/pool.ts'
import { CarrierError } from '../thingspace/carrier-error.ts'
import type { ThingSpaceClient } from '../thingspace/client.ts'
import {
  anyDue,
  claimDue,
  type DuePoll,
  endTurn,
  notePoll,
  type PollOutcome,
  putOff,
  type StopReason,
  takeTurn,
} from './due-polls.ts'
import { enterStatus } from './enter-status.ts'

export interface AskCarrierOptions {
  db: Database
  client: Pick<ThingSpaceClient, 'requestStatus'>
  /** Names this replica. */
  holder: string
  isStopping: () => boolean
  onPoll: (outcome: string) => void
}

/**
 * Twelve hours from the first poll to the last, as long as an activation may take [DOC] SOAP
 * ChangeDeviceState-Activate.
 */
export const mostPolls = 19
/** A carrier that is not well may be so for days: then a week more, one an hour. */
export const mostPollsUnanswered = mostPolls + 7 * 24
const firstDelayMs = 30_000
const longestDelayMs = 3_600_000
const turnMs = 20_000

/** Asks about overdue activations whose poll is due, one after the other; only one replica does so at a time. */
export async function askCarrier(options: AskCarrierOptions): Promise<void> {
  const { db, holder, isStopping } = options
  const until = Date.now() + turnMs
  if (!(await anyDue(db))) return
  while (Date.now() < until && !isStopping() && (await takeTurn(db, holder))) {
    const due = await claimDue(db)
    if (due === null || !(await pollOne(options, due))) break
  }
  await endTurn(db, holder)
}

/** False when the carrier may be in trouble, so that asking about others right now would hardly go better. */
async function pollOne(options: AskCarrierOptions, due: DuePoll): Promise<boolean> {
  const outcome = due.settled ? stop('settled') : await ask(options, due)
  await notePoll(options.db, due, outcome)
  options.onPoll(outcome.outcome)
  if (outcome.othersAfterMs !== null) await putOff(options.db, outcome.othersAfterMs)
  return outcome.isWell
}

async function ask({ db, client }: AskCarrierOptions, due: DuePoll): Promise<PollOutcome> {
  try {
    const status = await client.requestStatus(due.accountName, due.requestId)
    const { settled, final, entered } = await enterStatus(db, due, status)
    if (settled) return stop('settled')
    // It has a final word on everything, so there is nothing more to hear, even if that is a conflict.
    if (final) return stop('answered')
    return again(due, entered > 0 ? 'learned' : 'pending')
  } catch (error) {
    if (!(error instanceof CarrierError)) throw error
    return outcomeOf(error, due)
  }
}

/**
 * A poll that reached the carrier and got no good answer counts as a try: it may be this very request that can't be
 * answered, and that one must neither be asked about for ever nor keep the others waiting. Otherwise it is the carrier
 * that takes no requests.
 */
function outcomeOf({ kind, outcome, retryAfterMs }: CarrierError, due: DuePoll): PollOutcome {
  if (kind === 'refused') return again(due, kind)
  if (outcome === 'unknown') {
    const later = again(due, kind, mostPollsUnanswered, retryAfterMs)
    return { ...later, othersAfterMs: retryAfterMs, isWell: false }
  }
  // Refused with a session that was made for it: as likely this request as the carrier, so it counts, and others wait.
  if (kind === 'unauthorized' && outcome === 'refused') {
    return { ...again(due, kind, mostPollsUnanswered), othersAfterMs: firstDelayMs, isWell: false }
  }
  const afterMs = retryAfterMs ?? firstDelayMs
  return { outcome: kind, nextAfterMs: afterMs, stopped: null, counts: false, othersAfterMs: afterMs, isWell: false }
}

function stop(because: StopReason): PollOutcome {
  return { outcome: because, nextAfterMs: null, stopped: because, counts: true, othersAfterMs: null, isWell: true }
}

/** Half a minute, then twice as long each time, at most an hour. */
export function delayAfter(polls: number): number {
  return Math.min(firstDelayMs * 2 ** polls, longestDelayMs)
}

function again({ polls }: DuePoll, outcome: string, most = mostPolls, leastMs: number | null = null): PollOutcome {
  const asked = { outcome, counts: true, othersAfterMs: null, isWell: true }
  if (polls + 1 >= most) return { ...asked, nextAfterMs: null, stopped: 'tries' }
  return { ...asked, nextAfterMs: Math.max(delayAfter(polls), leastMs ?? 0), stopped: null }
}
