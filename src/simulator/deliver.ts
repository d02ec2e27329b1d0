import { type CallbackBody, type CallbackShape, dressed } from './callback-body.ts'
import { type Attempt, type Ledger, type LedgerEntry, outcomeOf } from './ledger.ts'
import type { Listener, Listeners } from './listeners.ts'
import { createPoster } from './post-callback.ts'
import { chance } from './random.ts'
import type { Settings } from './settings.ts'
import { createSlots } from './slots.ts'
import type { Timers } from './timers.ts'

export interface Message {
  requestId: string
  accountName: string
  serviceName: string
  says: string
  marks: string[]
  body: CallbackBody
  shape: CallbackShape
  /** Which credentials, instead of those that the settings lead to. */
  credentials?: Attempt['credentials']
}

interface Parts {
  seed: number
  settings: () => Settings
  listeners: Listeners
  ledger: Ledger
  timers: Timers
  concurrency: number
}

const mostAttempts = 4
const observedRetryMs = 1260

/** Brings messages to listeners, and enters in the ledger what became of them. */
export const createDelivery = ({ seed, settings, listeners, ledger, timers, concurrency }: Parts) => {
  const poster = createPoster()
  const slots = createSlots(concurrency)
  let open = 0
  let waiters: (() => void)[] = []

  const withhold = (message: Message, why: 'never' | 'no-listener') => {
    const { requestId, accountName, serviceName, says, marks, body } = message
    return ledger.add({ requestId, accountName, serviceName, says, marks, body, outcome: 'withheld', why })
  }

  const opened = () => {
    open++
  }
  const closed = () => {
    open--
    if (open > 0) return
    for (const waiter of waiters) waiter()
    waiters = []
  }

  /** Sends a message until it is acknowledged or the carrier's patience ends. Resolves after the first attempt. */
  const send = (message: Message): Promise<LedgerEntry> => {
    const { requestId, accountName, serviceName, says, marks, body } = message
    // [OBS] an event without a listener never arrives.
    if (!listeners.find(accountName, serviceName)) return Promise.resolve(withhold(message, 'no-listener'))
    const entry = ledger.add({ requestId, accountName, serviceName, says, marks, body, outcome: 'waiting', why: null })
    opened()
    let running = 0
    let overlapped = false

    const attempt = async (urgent: boolean): Promise<void> => {
      running++
      await slots.run(urgent, async () => {
        const listener = listeners.find(accountName, serviceName)
        if (!listener) return
        const { retryUnansweredAfterMs, timeScale, giveUpAfterMs } = settings()
        const made = startAttempt(entry, message, listener)
        // [OBS] after about 4 s unanswered it comes again, beside the first.
        const stopWaiting =
          retryUnansweredAfterMs > 0 ? timers.after(retryUnansweredAfterMs * timeScale, again) : () => {}
        const started = performance.now()
        if (marks.includes('twice') && !overlapped) again()
        const { status } = await poster.post(listener.url, made.text, giveUpAfterMs)
        stopWaiting()
        endAttempt(made.attempt, status, performance.now() - started)
      })
      running--
      if (running === 0) afterwards()
    }

    const again = () => {
      if (overlapped || running === 0 || entry.attempts.length >= mostAttempts) return
      overlapped = true
      void attempt(true)
    }

    const afterwards = () => {
      const outcome = outcomeOf(entry)
      const wait = outcome === 'ok' ? null : nextTry(entry, settings())
      if (wait === null || !listeners.find(accountName, serviceName) || stopped) {
        ledger.settle(entry, entry.attempts.length > 0 ? outcome : 'withheld')
        closed()
      } else {
        timers.after(wait, () => void attempt(false))
      }
    }

    return attempt(false).then(() => entry)
  }

  const startAttempt = (entry: LedgerEntry, message: Message, listener: Listener) => {
    const callbackCount = entry.attempts.length + 1
    const { oldPassword, oldPasswordForMs, timeScale } = settings()
    const rotating = listener.previous !== null && Date.now() - listener.rotatedAt < oldPasswordForMs * timeScale
    const old = rotating && chance(seed, `${entry.id} ${callbackCount} old password`, oldPassword)
    const credentials = message.credentials ?? (old ? 'previous' : 'current')
    const shown =
      credentials === 'none' ? null : credentials === 'previous' ? (listener.previous ?? listener) : listener
    const attempt: Attempt = {
      callbackCount,
      credentials,
      sentAt: new Date().toISOString(),
      tookMs: null,
      status: null,
      outcome: 'running',
    }
    entry.attempts.push(attempt)
    return { attempt, text: JSON.stringify(dressed(message.body, shown, callbackCount, message.shape)) }
  }

  let stopped = false
  return {
    send,
    withhold,
    opened,
    closed,
    open: () => open,
    idle: (): Promise<void> => (open === 0 ? Promise.resolve() : new Promise(resolve => waiters.push(resolve))),
    stop: () => {
      stopped = true
      poster.stop()
      for (const waiter of waiters) waiter()
      waiters = []
    },
  }
}
export type Delivery = ReturnType<typeof createDelivery>

const endAttempt = (attempt: Attempt, status: number | null, tookMs: number) => {
  attempt.tookMs = Math.round(tookMs * 10) / 10
  attempt.status = status
  if (status === null || status >= 500) attempt.outcome = 'unknown'
  else attempt.outcome = status >= 200 && status < 300 ? 'ok' : 'refused'
}

/** When to try again: [QUOTE] CB three more at 5 minutes, [OBS] one more after 1.26 s [CONFLICT]. */
const nextTry = ({ attempts }: LedgerEntry, { retryRefused, retryAfterMs, timeScale }: Settings): number | null => {
  if (retryRefused === 'observed') return attempts.length < 2 ? observedRetryMs : null
  if (retryRefused === 'documented') return attempts.length < mostAttempts ? retryAfterMs * timeScale : null
  return null
}
