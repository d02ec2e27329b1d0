import { identifiersOf, requestIdOf } from '../fixtures/model-messages.ts'
import { askedFor } from './check-activations.ts'
import { profileNames } from './check-profiles.ts'
import { inOrder, reportsOf, targetsOf } from './contract.ts'
import { type Attempt, keyOf, type Ledger } from './ledger.ts'
import { type Observed, storedOf, wordsOf } from './observe.ts'

/** What random runs are for. A run that never gets there proves nothing, so each is counted. */
export const interesting = [
  'duplicate in flight',
  'parked callback claimed through the API',
  'parked callback claimed through SQL',
  'callback and record at once',
  'conflict',
  'warning then final',
  'final then late warning',
  'unrequested device',
  'quarantined',
  'reprocess that changed something',
  'unmatched repeated',
  'profile folded anew, out of order',
  'recorded differently: 409',
  'answer not waited for, sent again',
  'several profiles in one callback',
  'device-level callback matched',
  'asked by EID and IMEI, ICCID learned',
  'unchanged',
] as const
export type State = (typeof interesting)[number]
export type States = Record<State, number>

export function noStates(): States {
  return Object.fromEntries(interesting.map(name => [name, 0])) as States
}

/** Enters what the ledger and the end of a run tell. */
export function countStates(states: States, ledger: Ledger, observed: Observed): void {
  countDeliveries(states, ledger, observed)
  countTargets(states, observed)
  for (const name of profileNames) {
    const words = wordsOf(observed, identifiersOf(name).iccid)
    const byArrival = [...words].sort((one, other) => (one.stored.callbackId < other.stored.callbackId ? -1 : 1))
    const acrossActivations = inOrder(words).map(({ requestId }) => requestId)
    const arrived = byArrival.map(({ requestId }) => requestId)
    if (JSON.stringify(acrossActivations) !== JSON.stringify(arrived)) states['profile folded anew, out of order'] += 1
  }
}

function countDeliveries(states: States, ledger: Ledger, { account, callbacks, activations }: Observed): void {
  const attempts = ledger.attempts.filter(entry => entry.account === account)
  for (const group of Map.groupBy(attempts, keyOf).values()) {
    if (group.some((one, n) => group.slice(n + 1).some(other => overlap(one, other))))
      states['duplicate in flight'] += 1
    if (group.some(({ outcome }) => outcome === 'unknown') && group.some(({ outcome }) => outcome === 'ok')) {
      states['answer not waited for, sent again'] += 1
    }
  }
  for (const { record, requestId } of activations.values()) {
    if (record === null) continue
    const about = attempts.filter(
      ({ message, verdict }) => requestIdOf(message.request) === requestId && verdict === 'unmatched',
    )
    const isParked = about.some(({ ended }) => ended < record.started)
    if (isParked && record.via === 'api') states['parked callback claimed through the API'] += 1
    if (isParked && record.via === 'sql') states['parked callback claimed through SQL'] += 1
    const named = attempts.filter(({ message }) => requestIdOf(message.request) === requestId)
    if (named.some(entry => overlap(entry, record))) states['callback and record at once'] += 1
    const repeatedBefore = attempts.some(
      ({ message, verdict, ended }) =>
        requestIdOf(message.request) === requestId &&
        ended < record.started &&
        verdict === 'repeated' &&
        reportsOf({ message, held: false }, account).length > 0,
    )
    if (repeatedBefore) states['unmatched repeated'] += 1
  }
  states['recorded differently: 409'] += ledger.records.filter(
    entry => entry.account === account && entry.status === 409,
  ).length
  states.quarantined += attempts.filter(({ verdict }) => verdict === 'quarantined').length
  states.unchanged += callbacks.filter(({ verdict }) => verdict === 'unchanged').length
}

function countTargets(states: States, observed: Observed): void {
  const { account } = observed
  for (const { record, requestId } of observed.activations.values()) {
    if (record === null) continue
    const stored = storedOf(observed, requestId)
    const asked = askedFor(record)
    const targets = targetsOf(asked, stored, account)
    states.conflict += targets.filter(({ result }) => result === 'conflict').length
    states['unrequested device'] += targets.filter(({ requested }) => !requested).length
    for (const target of targets) {
      // One target at a time: what is left of the messages when only those that mean it are looked at.
      const said = stored.flatMap(entry => {
        const [alone] = targetsOf(asked, [entry], account).filter(
          one => one.callbacks > 0 && JSON.stringify(one.asked) === JSON.stringify(target.asked),
        )
        return alone === undefined ? [] : [{ entry, result: alone.result }]
      })
      const firstFinal = said.findIndex(({ result }) => result !== 'warning')
      const firstWarning = said.findIndex(({ result }) => result === 'warning')
      const lastWarning = said.findLastIndex(({ result }) => result === 'warning')
      if (firstWarning >= 0 && firstWarning < firstFinal) states['warning then final'] += 1
      if (firstFinal >= 0 && lastWarning > firstFinal) states['final then late warning'] += 1
      if (!target.requested) continue
      const names = said.flatMap(({ entry }) => reportsOf(entry, account).map(({ ids }) => ids))
      const learned = target.asked.iccid === null && names.some(({ iccid }) => iccid !== null)
      if (learned) states['asked by EID and IMEI, ICCID learned'] += 1
      if (said.some(({ entry }) => entry.message.level === 'device')) states['device-level callback matched'] += 1
      if (said.some(({ entry }) => entry.message.about.length > 1)) states['several profiles in one callback'] += 1
    }
  }
}

function overlap(one: Pick<Attempt, 'started' | 'ended'>, other: Pick<Attempt, 'started' | 'ended'>): boolean {
  return one.started < other.ended && other.started < one.ended
}
