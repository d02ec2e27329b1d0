import { setTimeout as sleep } from 'node:timers/promises'
import type { Attempt, LedgerEntry } from '../simulator/ledger.ts'
import type { Activation, Api } from './demo-api.ts'
import { faultCodeOf, iccidOf, profileResponseOf, shortFault } from './demo-ledger.ts'
import { activationOf, type Step } from './demo-scenario.ts'
import type { Screen, Style } from './demo-screen.ts'
import type { Stage } from './demo-start.ts'

/** One request to the carrier, as far as it has got. */
export interface Told {
  step: Step
  requestId: string | null
  activation: Activation | null
}

const betweenRequestsMs = 350
const pollEveryMs = 100
const patienceMs = 12_000

/**
 * Sends all requests to the carrier and records them, while following what the carrier sends and what the API says.
 * Ends when the carrier has nothing left to send and everything is settled, or when that takes too long.
 */
export async function tellStory(stage: Stage, api: Api, steps: Step[], screen: Screen): Promise<Told[]> {
  const told = steps.map((step): Told => ({ step, requestId: null, activation: null }))
  const say = createNarrator(screen)
  const failed = new AbortController()
  const asking = askAll(stage, api, told, say).catch(error => {
    failed.abort()
    throw error
  })
  await Promise.all([asking, follow(stage, api, told, screen, say, failed.signal)])
  return told
}

type Say = (step: number, deed: Deed, what: string, outcome: string) => void
type Deed = 'activate' | 'record' | 'callback' | 'poll'
const styles: Record<Deed, Style> = { activate: 'bold', record: 'bold', callback: 'cyan', poll: 'green' }

function createNarrator(screen: Screen): Say {
  const since = Date.now()
  return (step, deed, what, outcome) => {
    const at = `${((Date.now() - since) / 1_000).toFixed(1)} s`.padStart(7)
    screen.say(`${at}  #${step}  ${screen.paint(styles[deed], deed.padEnd(8))}  ${what.padEnd(40)}  ${outcome}`)
  }
}

async function askAll({ simulator, thingspace }: Stage, api: Api, told: Told[], say: Say): Promise<void> {
  for (const one of told) {
    const { step } = one
    simulator.settings({ ...calm, ...step.behaviour })
    const request = activationOf(step)
    const asking = thingspace.activate(request)
    say(step.number, 'activate', step.asks, `the carrier ${step.carrier}`)
    const { requestId } = await asking
    one.requestId = requestId
    // Without submittedAt, so that the same seed on the same database records the same request again.
    const { status, body } = await api.put<Activation>(activationPath(requestId), request)
    one.activation = body
    say(step.number, 'record', requestId, `${status} ${describeActivation(body)}${describeRecord(status, body)}`)
    await sleep(betweenRequestsMs)
  }
}

const calm = { fault: 0, warning: 0, twice: 0, early: 0, answerAfterMs: 0 }

export function activationPath(requestId: string): string {
  return `/v1/activations/${requestId}`
}

async function follow(
  { simulator }: Stage,
  api: Api,
  told: Told[],
  screen: Screen,
  say: Say,
  failed: AbortSignal,
): Promise<void> {
  const over = Date.now() + patienceMs
  const heard = new Set<Attempt>()
  const finished = () => told.every(({ activation }) => activation?.settledAt != null) && simulator.state().open === 0

  for (;;) {
    tellCallbacks(simulator.ledger(), heard, told, say)
    for (const one of told) await tellChange(api, one, say)
    if (finished() || failed.aborted || Date.now() > over) break
    screen.progress(describeProgress(told, heard, api))
    await sleep(pollEveryMs)
  }
  tellCallbacks(simulator.ledger(), heard, told, say)
  screen.clear()
}

/** Every attempt that was answered since the last look. */
function tellCallbacks(ledger: LedgerEntry[], heard: Set<Attempt>, told: Told[], say: Say): void {
  for (const entry of ledger) {
    const fresh = entry.attempts.filter(attempt => attempt.outcome !== 'running' && !heard.has(attempt))
    // At most one request has no id yet: the one that is being sent.
    const one = told.find(({ requestId }) => requestId === entry.requestId) ?? told.find(waitsForId)
    for (const attempt of fresh) {
      heard.add(attempt)
      const { callbackCount, status } = attempt
      const again = callbackCount > 1 ? `, callbackCount ${callbackCount}` : ''
      const ahead = one?.requestId === null ? ', ahead of its requestId' : ''
      const what = `${shorten(iccidOf(entry))} ${entry.says}${detailOf(entry)}${again}`
      say(one?.step.number ?? 0, 'callback', what, `answered ${status ?? 'nothing'}${ahead}`)
    }
  }
}

function waitsForId({ requestId }: Told): boolean {
  return requestId === null
}

async function tellChange(api: Api, one: Told, say: Say): Promise<void> {
  if (one.requestId === null || one.activation === null || one.activation.settledAt !== null) return
  const before = describeActivation(one.activation)
  const { changed, body } = await api.get<Activation>(activationPath(one.requestId))
  if (!changed || body === null) return
  one.activation = body
  if (describeActivation(body) === before) return
  say(one.step.number, 'poll', `GET ${activationPath(`${one.requestId.slice(0, 8)}...`)}`, describeActivation(body))
}

function describeActivation({ status, counts }: Activation): string {
  const settled = counts.succeeded + counts.failed
  return `${status} (${settled} of ${counts.targets}${counts.warning > 0 ? `, ${counts.warning} with a warning` : ''})`
}

function describeRecord(status: number, { settledAt }: Activation): string {
  if (status === 200) return ', known from an earlier run'
  return settledAt === null ? '' : ': its callback was kept'
}

function describeProgress(told: Told[], heard: Set<Attempt>, { counts }: Api): string {
  const asked = told.reduce((sum, { step }) => sum + step.profiles.length, 0)
  const settled = told.reduce((sum, { activation }) => sum + settledOf(activation), 0)
  const bar = '#'.repeat(settled * 2).padEnd(asked * 2, '.')
  const polls = `${counts.asked} polls, ${counts.unchanged} of them 304`
  return `  [${bar}] ${settled} of ${asked} profiles settled; ${heard.size} callbacks, ${polls}`
}

function settledOf(activation: Activation | null): number {
  return activation === null ? 0 : activation.counts.succeeded + activation.counts.failed
}

function shorten(iccid: string): string {
  return `..${iccid.slice(-6)}`
}

function detailOf({ body }: LedgerEntry): string {
  const detail = shortFault(faultCodeOf(body)) ?? profileResponseOf(body).profileRole
  return detail === undefined ? '' : ` ${detail}`
}
