import cluster from 'node:cluster'
import { type Config, ConfigError, readConfig } from './config.ts'
import { createLog } from './log.ts'
import { greet } from './operating/greet.ts'
import type { Tracing } from './operating/tracing/tracing.ts'
import { startService } from './service.ts'
import { runWorkers, sayReady } from './workers/run-workers.ts'
import { shareMetrics } from './workers/share-metrics.ts'

/** After this the process exits whatever is left: the contract says 10 seconds. */
const leaveWithinMs = 9_000
/** The process that started the workers waits for them, so it gets a little longer. */
const leaveBehindWorkersMs = 9_500

const config = configOrLeave()
/** Its number, when this is one of several worker processes. */
const worker = cluster.isWorker ? Number(process.env.WORKER) : null
const isFirst = worker === null || worker === 1
const startsWorkers = config.workers > 1 && worker === null
const tracing = startsWorkers ? null : await tracingOrNull()
const log = createLog(config.logLevel, { traceIds: tracing?.ids, worker })
tracing?.tellOf(log)
const starting = startsWorkers ? runWorkers(config, log) : startOne()
let leaving = false

// Before anything is started: the first process of a container ignores every signal that it has no handler for.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void leave(signal))

try {
  const { opened } = await starting
  await opened
  if (startsWorkers && !leaving) log.info({ workers: config.workers }, 'all workers are ready')
} catch (error) {
  log.fatal({ err: error }, 'could not start')
  process.stderr.write(`${(error as Error).message}\n`)
  // Those workers that did start must leave. If nothing was started, the error above has said so.
  if (startsWorkers) await starting.then(({ close }) => close()).catch(() => undefined)
  process.exit(1)
}

async function leave(signal: string): Promise<void> {
  if (leaving) return
  leaving = true
  log.info({ signal }, 'shutting down: nothing new is accepted, what is under way is finished')
  setTimeout(() => process.exit(0), startsWorkers ? leaveBehindWorkersMs : leaveWithinMs).unref()
  const { close } = await starting
  await close()
  await tracing?.stop()
  process.exit(0)
}

async function startOne() {
  const service = await startService(config, log, {
    tracing,
    isFirst,
    shareMetrics: worker === null ? null : shareMetrics,
  })
  // With several workers, all would say the same.
  const told = isFirst ? greet(config, service, log) : service.opened
  return { opened: told.then(sayReady), close: service.close }
}

function configOrLeave(): Config {
  try {
    return readConfig(process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}

/** OpenTelemetry is loaded only when its variables ask for it. */
async function tracingOrNull(): Promise<Tracing | null> {
  if (!config.tracing) return null
  const { startTracing } = await import('./operating/tracing/start-tracing.ts')
  return startTracing(process.env)
}
