import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { createApp } from './app.ts'
import { createBackgroundWork } from './background-work.ts'
import { createChangeFeed } from './changes/change-feed.ts'
import { type Config, ConfigError, unprotected } from './config.ts'
import { openPools } from './database/open-pools.ts'
import { onceReached, openStore } from './database/open-store.ts'
import { findReader } from './database/reader.ts'
import { databaseProblems } from './database/readiness.ts'
import { startEmbedded } from './database/start-embedded.ts'
import { knowCallers } from './known-callers.ts'
import { countCarrierCalls } from './operating/count-carrier-calls.ts'
import { createCursors } from './operating/cursor.ts'
import { createMetrics } from './operating/metrics.ts'
import { openCarrier } from './operating/open-carrier.ts'
import type { Tracing } from './operating/tracing/tracing.ts'
import { admitEarly } from './receiving/admit-early.ts'
import { createCallbackWriter } from './receiving/callback-writer.ts'
import { drainSpools } from './receiving/drain-spools.ts'
import { holdSpools, spoolProblems } from './receiving/held-spools.ts'
import { watchOutage } from './receiving/outage.ts'
import { storeOrSpool } from './receiving/store-or-spool.ts'
import { type DatabaseKeys, loadDatabaseKeys } from './secrets/database-keys.ts'
import { createSealer } from './secrets/sealer.ts'
import { tryOutSealKey } from './secrets/try-out-seal-key.ts'
import { findBacklog } from './summary/find-backlog.ts'

export interface Service {
  /** Where it listens, for instance `http://127.0.0.1:3000`. */
  url: string
  databaseUrl: string
  /** Resolves once the database has been reached and its schema is current. */
  opened: Promise<void>
  /** Whether this is the try-out mode: there is neither a listener nor a token, here or in the database. */
  isTriedOut(): boolean
  /** How many listeners and tokens there are, here and in the database. */
  callers(): { listeners: number; tokens: number }
  /** Whether callbacks have somewhere to go while the database is away. */
  hasSpool(): boolean
  isClosing(): boolean
  /** Accepts nothing new, finishes what is under way, and releases everything. */
  close(): Promise<void>
}

export interface Surroundings {
  tracing?: Tracing | null
  /** With several processes on this port: how to read the metrics of all of them. */
  shareMetrics?: ((registry: Registry) => () => Promise<string>) | null
  /** Of several workers, the first brings in what workers that no longer exist left on disk. */
  isFirst?: boolean
}

/** Puts the parts together. Listens at once, even while the database is away: then it is alive but not ready. */
export async function startService(
  config: Config,
  log: Logger,
  { tracing = null, shareMetrics = null, isFirst = true }: Surroundings = {},
): Promise<Service> {
  const embedded = config.databaseUrl === null ? await startEmbedded(config.dataDir, line => log.info(line)) : null
  const url = config.databaseUrl ?? embedded?.url ?? ''
  const sealer = createSealer(config.sealKey ?? (await tryOutSealKey(config.dataDir)), config.sealKeysPrevious)
  let closing = false
  const onConnectionError = (error: Error) => {
    if (!closing) log.warn({ err: error }, 'a database connection was lost')
  }

  const pools = openPools(url, onConnectionError)
  const { receiving, reading, asking } = pools
  let databaseKeys: DatabaseKeys | null = null
  /** Before keys, listeners and tokens are known, callbacks and questions get 503. */
  let isServing = false
  const keys = () => (databaseKeys === null ? null : { sealer, fingerprintKey: databaseKeys.fingerprint })
  const listenersKey = () => databaseKeys?.listeners ?? null
  const spools = holdSpools({ config, sealer, log, isFirst })
  const outage = watchOutage()
  const callers = knowCallers({
    config,
    databaseUrl: url,
    listenersKey,
    log,
    keep: {
      keep(plain) {
        const own = spools.own()
        own?.keep('listeners', plain)
        return own !== null
      },
      kept: () => spools.own()?.kept('listeners') ?? null,
    },
  })
  const metrics = createMetrics({
    workers: config.workers,
    queueDepth: () => writer.depth(),
    callersAgeMs: callers.ageMs,
    feedReaders: () => feed.readers(),
    pools: () => pools.watched,
    findBacklog: () => findBacklog(asking),
  })
  const writer = admitEarly(
    createCallbackWriter(receiving, {
      keys,
      tracing,
      onRetry: (refusal, error, callbacks) => {
        if (refusal === 'unavailable') outage.failed()
        metrics.retries.inc({ refusal })
        log.warn({ refusal, err: error, callbacks }, 'a transaction did not go through')
      },
      onCommit: (callbacks, seconds) => {
        outage.ended()
        metrics.batchSize.observe(callbacks)
        metrics.transactionSeconds.observe(seconds)
      },
    }),
  )
  const readMetrics = shareMetrics?.(metrics.registry) ?? (() => metrics.registry.metrics())
  metrics.measureSpools({ ...spools, wanted: config.spoolMaxBytes !== null, maxAgeMs: config.spoolMaxAgeMs })
  const take = storeOrSpool({
    writer,
    ownSpool: spools.own,
    outage,
    onSpooled: () => metrics.spooled.inc(),
    onFailure: error => log.error({ err: error }, 'the spool can not be written'),
  })
  const isClosing = () => closing
  const probe = async () => {
    if (keys() === null || (await databaseProblems(asking)).length > 0) throw new Error('the database is away')
  }
  const drains = drainSpools({ spools, writer, outage, probe, metrics, log, isClosing })
  const feed = createChangeFeed(reading.seenBy, url, log)
  const client =
    config.thingSpace === null ? null : countCarrierCalls(openCarrier(asking, sealer, config.thingSpace), metrics)
  const leaving = new AbortController()
  const app = await createApp({
    config,
    callers,
    log,
    db: asking,
    seenBy: reading.seenBy,
    take,
    // In an outage nothing waits for the database: then it is the spool that knows whether there is room.
    isFull: () => writer.isFull() && !(spools.own() !== null && outage.isLikely()),
    keys,
    metrics,
    readMetrics,
    feed,
    cursors: createCursors(() => databaseKeys?.cursor ?? null),
    client,
    leaving: leaving.signal,
    async findProblems() {
      if (closing) return ['shutting down']
      const problems = [...spoolProblems(spools.own(), config), ...(await databaseProblems(asking))]
      return problems.length > 0 || isServing ? problems : ['starting']
    },
  })
  const background = createBackgroundWork({ store: pools.background, config, listenersKey, client, metrics, log })
  const opened = openStore(url, { migrate: config.migrate, log, isClosing }).then(async () => {
    if (closing) return
    const reader = await onceReached(() => findReader(asking), { log, isClosing })
    if (reader === null) log.warn(noReader)
    reading.readAs(reader)
    databaseKeys = await onceReached(() => loadDatabaseKeys(asking, sealer), { log, isClosing })
    drains.start()
    await callers.start()
    if (callers.isUnprotected() && !config.tryOut) throw new ConfigError([unprotected(config.host)])
    isServing = true
    void background.start()
    await onceReached(() => feed.start(), { log, isClosing })
  })
  const close = async () => {
    closing = true
    leaving.abort()
    await Promise.all([background.stop(), app.close()])
    await Promise.all([feed.stop(), callers.stop(), drains.stop()])
    await writer.drained()
    await opened.catch(() => undefined)
    spools.close()
    await pools.destroy()
    await embedded?.stop()
  }
  try {
    return {
      url: await listen(app, config),
      databaseUrl: url,
      opened,
      isTriedOut: callers.tryOut,
      callers: callers.count,
      hasSpool: () => spools.own() !== null,
      isClosing,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

const noReader =
  'row-level security is off: the database user has no role reader_of_<user>; give it CREATEROLE and run npm run migrate'

/**
 * Connections that may wait to be accepted; the system's own limit, often 4,096, applies too. Beyond it, clients wait a
 * second or more.
 */
const mostInBacklog = 4_096

async function listen(app: FastifyInstance, { host, port }: Config): Promise<string> {
  await app.listen({ host, port, backlog: mostInBacklog })
  const { port: bound } = app.server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`
}
