import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { startEmbedded } from '../database/start-embedded.ts'
import { tryOutSealKey } from '../secrets/try-out-seal-key.ts'
import { answerMetrics } from './share-metrics.ts'
import { workerFolder } from './worker-folders.ts'

type Env = { [name: string]: string }

/** A worker's message once its database has been reached. */
const workerIsReady = 'thingspace: ready'

/** For a worker; a process on its own has nobody to tell. */
export function sayReady(): void {
  process.send?.(workerIsReady)
}

export interface Workers {
  /** Resolves when all are ready; rejects when one of the first could not start, which has then logged why. */
  opened: Promise<void>
  /** Resolves when all have ended: each finishes what is under way, as a single process does. */
  close(): Promise<void>
}

/** How long after its end a worker is replaced, so that one that can't stay up does not take the machine with it. */
const replaceAfterMs = 1_000
/** The exit code of a process that has found that it can't start. */
const couldNotStart = 1

/**
 * Runs `WORKERS` processes of the service on one port. Each is a whole replica, with connections, background work and a
 * spool of its own; the embedded PostgreSQL and its seal key are shared by all of them.
 */
export async function runWorkers(config: Config, log: Logger): Promise<Workers> {
  answerMetrics()
  const sealKey = config.databaseUrl === null ? await readSealKey(config) : null
  const say = (line: string) => log.info(line)
  const embedded = sealKey === null ? null : await startEmbedded(config.dataDir, say, config.workers)
  const shared: Env = embedded === null || sealKey === null ? {} : { DATABASE_URL: embedded.url, SEAL_KEY: sealKey }
  const running = new Map<number, Worker>()
  let closing = false

  /** Resolves when it is ready, or another one in its place. */
  const run = async (number: number): Promise<void> => {
    const worker = cluster.fork({ ...shared, ...ownSpool(config, number), WORKER: String(number) })
    running.set(number, worker)
    const ready = new Promise<void>(resolve =>
      worker.on('message', message => {
        if (message === workerIsReady) resolve()
      }),
    )
    const ended = once(worker, 'exit').then(([code, signal]) => {
      running.delete(number)
      if (!closing) log.error({ worker: number, code, signal }, 'a worker ended')
      return code as number | null
    })
    const code = await Promise.race([ready, ended])
    if (code === couldNotStart) throw new Error(`worker ${number} could not start`)
    const followed = ended.then(() => replace(number))
    if (code !== undefined) await followed
  }
  const replace = async (number: number): Promise<void> => {
    await sleep(replaceAfterMs, undefined, { ref: false })
    if (!closing) await run(number).catch(() => replace(number))
  }

  return {
    opened: Promise.all(Array.from({ length: config.workers }, (_, n) => run(n + 1))).then(() => undefined),
    async close() {
      closing = true
      await Promise.all([...running.values()].map(leave))
      await embedded?.stop()
    },
  }
}

/**
 * A spool has one owner: each worker has a folder of its own, and a fair share of the bytes. The first one uses that of
 * a single process, and brings in what is left in the folders of workers that no longer exist.
 */
function ownSpool({ dataDir, spoolMaxBytes, workers }: Config, number: number): Env {
  if (spoolMaxBytes === null) return {}
  return {
    SPOOL: 'on',
    DATA_DIR: workerFolder(dataDir, number),
    SPOOL_MAX_BYTES: String(Math.max(1, Math.floor(spoolMaxBytes / workers))),
  }
}

async function leave(worker: Worker): Promise<void> {
  const gone = once(worker, 'exit')
  worker.process.kill('SIGTERM')
  await gone
}

async function readSealKey({ sealKey, dataDir }: Config): Promise<string> {
  return (sealKey ?? (await tryOutSealKey(dataDir))).toString('base64')
}
