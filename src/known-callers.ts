import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { openDatabase } from './database/pool.ts'
import { type AcceptedDigest, loadListeners, type StoredListeners } from './listeners/stored-listeners.ts'
import { type KeptFresh, keepFresh } from './operating/keep-fresh.ts'
import { createOpenRequests, type OpenRequests } from './operating/open-requests.ts'
import { loadTokens, type StoredTokens } from './operating/stored-tokens.ts'

/** Who may ask and whose callbacks are taken, beyond what the environment says: read from the database all the time. */
export interface KnownCallers {
  tokens: Pick<KeptFresh<StoredTokens>, 'last' | 'within'>
  openRequests: OpenRequests
  /** null until it could be read for the first time; then also while the database is away. */
  listeners(): AcceptedListeners | null
  /** True once it is known that there is no listener and no token, neither here nor in the environment. */
  tryOut(): boolean
  /** True once it is known that nothing protects the service, whether it is being tried out or not. */
  isUnprotected(): boolean
  /** Milliseconds since the moment of which all this tells. */
  ageMs(): number
  /** Resolves once it could be read. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface AcceptedListeners {
  /** What the digests are keyed with. */
  key: Buffer
  accepted: readonly AcceptedDigest[]
}

export interface KnownCallersOptions {
  config: Pick<Config, 'tryOut' | 'listeners' | 'tokens'>
  databaseUrl: string
  /** Known once `start` is called. */
  listenersKey: () => Buffer | null
  log: Logger
}

/** Far below the 2 seconds that are promised: a read may fail once, or take its time. */
const everyMs = 500

export function knowCallers({ config, databaseUrl, listenersKey, log }: KnownCallersOptions): KnownCallers {
  // A connection of its own: neither queries nor callbacks can hold it up, nor it them.
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
      openRequests.keepOnly(loaded.tokens.live)
      const endsTryOut = triedOut && !isEmpty(loaded)
      triedOut = config.tryOut && isEmpty(loaded)
      if (endsTryOut) log.warn('the try-out mode has ended: there is a token or a listener now')
    },
    onFailure: error => log.warn({ err: error }, 'tokens and listeners can not be read; the last known ones count'),
  })
  const isEmpty = (loaded: { tokens: StoredTokens; listeners: StoredListeners } | null) =>
    loaded !== null && !loaded.tokens.any && !loaded.listeners.any
  let accepted: AcceptedListeners | null = null

  return {
    tokens: {
      last: () => known.last()?.tokens ?? null,
      within: async ms => (await known.within(ms)).tokens,
    },
    openRequests,
    listeners() {
      const [key, loaded] = [listenersKey(), known.last()]
      if (key === null || loaded === null) return null
      if (accepted?.accepted !== loaded.listeners.accepted) accepted = { key, accepted: loaded.listeners.accepted }
      return accepted
    },
    tryOut: () => config.tryOut && isEmpty(known.last()),
    isUnprotected: () => config.listeners.length === 0 && config.tokens.length === 0 && isEmpty(known.last()),
    ageMs: known.ageMs,
    start: known.start,
    async stop() {
      await known.stop()
      await db.destroy()
    },
  }
}
