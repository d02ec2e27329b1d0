import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { openDatabase } from './database/pool.ts'
import { type AcceptedListeners, type KeptListeners, keptListeners } from './listeners/kept-listeners.ts'
import { loadListeners, type StoredListeners } from './listeners/stored-listeners.ts'
import { type KeptFresh, keepFresh } from './operating/keep-fresh.ts'
import { createOpenRequests, type OpenRequests } from './operating/open-requests.ts'
import { loadTokens, type StoredTokens } from './operating/stored-tokens.ts'

/**
 * Who may ask, and whose callbacks are accepted, beyond what the environment says: read from the database continually.
 */
export interface KnownCallers {
  tokens: Pick<KeptFresh<StoredTokens>, 'last' | 'ageMs' | 'within'>
  openRequests: OpenRequests
  /** As last read, by this process or an earlier one, also while the database is away; null: never read. */
  listeners(): AcceptedListeners | null
  /** False until this process has read them once: a listener that is missing may have been added since. */
  areListenersKnown(): boolean
  /** True once it is known that there is neither a listener nor a token, here or in the environment. */
  tryOut(): boolean
  /** True once it is known that nothing protects the service, whether or not it is in try-out mode. */
  isUnprotected(): boolean
  /** How many there are, in the environment and, as far as it has been read, in the database. */
  count(): { listeners: number; tokens: number }
  /** How old this knowledge is, in milliseconds. */
  ageMs(): number
  /** Resolves once the database has been read. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface KnownCallersOptions {
  config: Pick<Config, 'tryOut' | 'listeners' | 'tokens'>
  databaseUrl: string
  /** Known once `start` is called. */
  listenersKey: () => Buffer | null
  log: Logger
  /** Where the listeners outlive the process, for a start without the database. */
  keep: KeptListeners
}

/** Well below the promised 2 seconds: a read may fail once, or be slow. */
const everyMs = 500

export function knowCallers({ config, databaseUrl, listenersKey, log, keep }: KnownCallersOptions): KnownCallers {
  // A connection of its own: neither queries nor callbacks can delay it, nor it them.
  const db = openDatabase({
    url: databaseUrl,
    name: 'thingspace callers',
    connections: 1,
    statementTimeoutMs: 750,
    lockTimeoutMs: 500,
    connectionTimeoutMs: 750,
    onConnectionError: () => undefined,
  })
  const openRequests = createOpenRequests()
  let triedOut = false
  const known = keepFresh({
    load: async () => ({ tokens: await loadTokens(db), listeners: await loadListeners(db) }),
    everyMs,
    onLoad(loaded) {
      const endsTryOut = triedOut && !isEmpty(loaded)
      triedOut = config.tryOut && isEmpty(loaded)
      openRequests.keepOnly([...loaded.tokens.live, ...(triedOut ? (['try-out'] as const) : [])])
      const key = listenersKey()
      if (key !== null) kept.keep({ key, accepted: loaded.listeners.accepted })
      if (endsTryOut) log.warn('the try-out mode has ended: there is a token or a listener now')
    },
    onFailure: error =>
      log.warn({ err: error }, 'tokens and listeners can not be read from the database; the last known ones apply'),
  })
  const isEmpty = (loaded: { tokens: StoredTokens; listeners: StoredListeners } | null) =>
    loaded !== null && !loaded.tokens.any && !loaded.listeners.any
  const kept = keptListeners(keep, error =>
    log.error({ err: error }, 'the listeners could not be kept in the spool, for a start without the database'),
  )
  let accepted: AcceptedListeners | null = kept.read()

  return {
    tokens: {
      last: () => known.last()?.tokens ?? null,
      ageMs: known.ageMs,
      within: async ms => (await known.within(ms)).tokens,
    },
    openRequests,
    listeners() {
      const [key, loaded] = [listenersKey(), known.last()]
      if (key === null || loaded === null) return accepted
      if (accepted?.accepted !== loaded.listeners.accepted) accepted = { key, accepted: loaded.listeners.accepted }
      return accepted
    },
    areListenersKnown: () => listenersKey() !== null && known.last() !== null,
    tryOut: () => config.tryOut && isEmpty(known.last()),
    isUnprotected: () => config.listeners.length === 0 && config.tokens.length === 0 && isEmpty(known.last()),
    count() {
      const { tokens, listeners } = known.last() ?? { tokens: null, listeners: null }
      const stored = new Set(listeners?.accepted.map(one => `${one.serviceName} ${one.accountName}`))
      return {
        listeners: stored.size + config.listeners.reduce((sum, { serviceNames }) => sum + serviceNames.length, 0),
        tokens: config.tokens.length + (tokens?.live.length ?? 0),
      }
    },
    ageMs: known.ageMs,
    start: known.start,
    async stop() {
      await known.stop()
      await db.destroy()
    },
  }
}
