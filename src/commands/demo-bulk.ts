import { setTimeout as sleep } from 'node:timers/promises'
import type { Settings } from '../simulator/settings.ts'
import type { Activation, Api } from './demo-api.ts'
import { activationOf, type Step, tellBulk } from './demo-scenario.ts'
import type { Screen } from './demo-screen.ts'
import type { Stage } from './demo-start.ts'
import { activationPath } from './demo-story.ts'

/** Seconds after which a target without a final word is overdue and the carrier is asked about it. */
export function expectWithinSeconds(profiles: number): number {
  return profiles < 1_000 ? 3 : 12
}

/**
 * A bad day, compressed to the length of a demo. What the carrier never sends, it still says when asked for the status.
 */
const behaviour: Partial<Settings> = {
  callbackAfterMs: 300,
  shuffled: true,
  late: 0.02,
  never: 0.02,
  twice: 0.1,
  warning: 0.05,
  finalAfterWarningMs: 800,
  fault: 0.05,
  early: 0,
  answerAfterMs: 0,
}
/** Some 1,600 callbacks a second, but over half a second at least. */
const spreadMs = (profiles: number) => Math.max(500, Math.round(profiles / 1.6))
const pollEveryMs = 250
const patienceMs = 50_000

export interface Bulk {
  step: Step
  requestId: string
  activation: Activation
  seconds: number
  /** Seconds from the request until the carrier was first asked about those without a final word. */
  healedFrom: number | null
}

/** One request for thousands of profiles on a bad day, followed until all are settled and the carrier is silent. */
export async function tellBulkStory(
  stage: Stage,
  api: Api,
  count: number,
  seed: number,
  screen: Screen,
): Promise<Bulk> {
  const step = tellBulk(seed, count)
  stage.simulator.settings({
    ...behaviour,
    callbackSpreadMs: spreadMs(count),
    lateAfterMs: (expectWithinSeconds(count) + 4) * 1_000,
  })
  const since = performance.now()
  const request = activationOf(step)
  const { requestId } = await stage.thingspace.activate(request)
  const recorded = await api.put<Activation>(activationPath(requestId), request)
  const told = (what: string) => screen.say(`${`${seconds(since).toFixed(1)} s`.padStart(8)}  ${what}`)
  told(`activate and record: ${count} profiles, requestId ${requestId}`)
  let activation = recorded.body
  let healedFrom: number | null = null
  let marked = false
  for (;;) {
    activation = (await api.get<Activation>(activationPath(requestId))).body ?? activation
    const { counts, overdue } = activation
    if (overdue && !marked) {
      marked = true
      healedFrom = seconds(since)
      told(
        `overdue: ${counts.pending + counts.warning} stragglers without a final word; the carrier is asked about them`,
      )
    }
    if (activation.settledAt !== null && stage.simulator.state().open === 0) break
    if (seconds(since) * 1_000 > patienceMs) break
    screen.progress(progressOf(activation, seconds(since), screen.width))
    await sleep(pollEveryMs)
  }
  screen.clear()
  told(`${activation.status}: ${activation.counts.succeeded} succeeded, ${activation.counts.failed} failed`)
  return { step, requestId, activation, seconds: seconds(since), healedFrom }
}

function seconds(since: number): number {
  return (performance.now() - since) / 1_000
}

function progressOf({ counts, overdue }: Activation, elapsed: number, width: number): string {
  const settled = counts.succeeded + counts.failed
  const cells = Math.max(10, Math.min(40, width - 56))
  const full = Math.floor((settled * cells) / counts.targets)
  const bar = '#'.repeat(full).padEnd(cells, '.')
  const state = overdue ? 'overdue, being asked about' : `${counts.warning} with a warning`
  return `  [${bar}] ${settled} of ${counts.targets} settled, ${state}, ${elapsed.toFixed(0)} s`
}
