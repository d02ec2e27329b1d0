import { chance, shuffle } from './random.ts'
import type { Settings } from './settings.ts'

export interface PlannedCallback {
  /** Which profile of the request, or `device` for the closing one of a whole device. */
  profile: number
  says: 'success' | 'fault' | 'warning'
  /** From the request's answer. */
  afterMs: number
  marks: string[]
}

export interface PlannedProfile {
  settledAfterMs: number
  status: 'Success' | 'Failed'
  callbacks: PlannedCallback[]
}

/**
 * What will be said of each profile of a request, and when: pure, so that a seed and a request's id give one plan.
 * `requestLabel` names the rolls.
 */
export const planCallbacks = (
  settings: Settings,
  seed: number,
  requestLabel: string,
  count: number,
  early: boolean,
): PlannedProfile[] => {
  const profiles = Array.from({ length: count }, (_, profile) => {
    const place = count > 1 ? profile / (count - 1) : 0
    const afterMs = early ? 0 : settings.callbackAfterMs + settings.callbackSpreadMs * place
    return planProfile(settings, seed, `${requestLabel} ${profile}`, profile, afterMs, early)
  })
  return settings.shuffled ? shuffleTimes(seed, requestLabel, profiles) : profiles
}

const planProfile = (
  settings: Settings,
  seed: number,
  label: string,
  profile: number,
  afterMs: number,
  early: boolean,
): PlannedProfile => {
  const rolled = (name: string, probability: number) => chance(seed, `${label} ${name}`, probability)
  const marks = early ? ['early'] : []
  if (rolled('never', settings.never)) marks.push('never')
  const late = rolled('late', settings.late)
  if (late) marks.push('late')
  const delay = late ? settings.lateAfterMs * settings.timeScale : 0

  const failed = rolled('fault', settings.fault)
  const warned = rolled('warning', settings.warning)
  const finalAt = afterMs + (warned ? settings.finalAfterWarningMs : 0)
  const final = { profile, says: failed ? 'fault' : 'success', afterMs: finalAt + delay, marks } as const
  const callbacks: PlannedCallback[] = [final]
  if (warned) callbacks.unshift({ profile, says: 'warning', afterMs, marks: [...marks, 'warning'] })
  if (!failed && rolled('contradict', settings.contradict)) {
    callbacks.push({ ...final, says: 'fault', afterMs: final.afterMs + 50, marks: [...marks, 'contradict'] })
  }
  for (const [index, callback] of callbacks.entries()) {
    if (rolled(`twice ${index}`, settings.twice)) callback.marks = [...callback.marks, 'twice']
    if (callback.says === 'fault') callback.marks = [...callback.marks, 'fault']
  }
  // The carrier knows at once what its callback says late or never.
  return { settledAfterMs: finalAt, status: failed ? 'Failed' : 'Success', callbacks }
}

/** Order is not promised [DOC] start-sms-callback: so a final word may come before its warning, too. */
const shuffleTimes = (seed: number, label: string, profiles: PlannedProfile[]): PlannedProfile[] => {
  const isLate = ({ marks }: PlannedCallback) => marks.includes('late')
  const times = profiles.flatMap(({ callbacks }) => callbacks.filter(one => !isLate(one)).map(({ afterMs }) => afterMs))
  const shuffled = shuffle(seed, `${label} order`, times)
  const take = (callback: PlannedCallback): PlannedCallback =>
    isLate(callback) ? callback : { ...callback, afterMs: shuffled.pop() ?? 0, marks: [...callback.marks, 'shuffled'] }
  return profiles.map(profile => ({ ...profile, callbacks: profile.callbacks.map(take) }))
}
