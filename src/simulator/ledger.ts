export type SendOutcome = 'ok' | 'refused' | 'unknown'

export interface Attempt {
  callbackCount: number
  credentials: 'current' | 'previous' | 'none'
  sentAt: string
  /** Until answered or broken off; null while it runs. */
  tookMs: number | null
  status: number | null
  /** `unknown`: a reset, a time-out or a 5xx, after which the receiver may or may not hold it. */
  outcome: SendOutcome | 'running'
}

export interface LedgerEntry {
  id: number
  requestId: string
  accountName: string
  serviceName: string
  says: string
  /** `ok` as soon as one attempt was; `withheld`: not sent at all, see `why`. */
  outcome: SendOutcome | 'waiting' | 'withheld'
  why: 'never' | 'no-listener' | null
  /** What misbehaviour this message shows. */
  marks: string[]
  attempts: Attempt[]
  /** The message without credentials and counters. */
  body: Record<string, unknown>
}

const most = 200_000

/** Every callback that was or was not sent, in the order they were made; the oldest finished ones fall out. */
export const createLedger = () => {
  const entries = new Map<number, LedgerEntry>()
  const counts: Record<LedgerEntry['outcome'], number> = { ok: 0, refused: 0, unknown: 0, waiting: 0, withheld: 0 }
  let made = 0

  const forgetOne = () => {
    for (const [id, { outcome }] of entries) {
      if (outcome === 'waiting') continue
      entries.delete(id)
      return
    }
  }

  return {
    add: (entry: Omit<LedgerEntry, 'id' | 'attempts'>): LedgerEntry => {
      const added = { ...entry, id: ++made, attempts: [] }
      entries.set(added.id, added)
      counts[added.outcome]++
      if (entries.size > most) forgetOne()
      return added
    },
    settle: (entry: LedgerEntry, outcome: LedgerEntry['outcome']) => {
      counts[entry.outcome]--
      counts[outcome]++
      entry.outcome = outcome
    },
    all: (): LedgerEntry[] => [...entries.values()],
    counts: () => ({ ...counts, made }),
  }
}
export type Ledger = ReturnType<typeof createLedger>

/** What an entry's attempts come to. */
export const outcomeOf = ({ attempts }: LedgerEntry): SendOutcome => {
  if (attempts.some(({ outcome }) => outcome === 'ok')) return 'ok'
  return attempts.every(({ outcome }) => outcome === 'refused') ? 'refused' : 'unknown'
}
