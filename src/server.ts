import { type Config, ConfigError, readConfig } from './config.ts'
import { createLog } from './log.ts'
import { greet } from './operating/greet.ts'
import type { Tracing } from './operating/tracing/tracing.ts'
import { startService } from './service.ts'

/** Past this the process leaves with what it has: the contract says 10 seconds. */
const leaveWithinMs = 9_000

const config = configOrLeave()
const tracing = await tracingOrNull()
const log = createLog(config.logLevel, tracing?.ids)
tracing?.tellOf(log)
const starting = startService(config, log, tracing)
let leaving = false

// Before anything is up: a container's first process gets no signal that it does not ask for.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void leave(signal))

try {
  await greet(config, await starting, log)
} catch (error) {
  log.fatal({ err: error }, 'could not start')
  process.stderr.write(`${(error as Error).message}\n`)
  process.exit(1)
}

async function leave(signal: string): Promise<void> {
  if (leaving) return
  leaving = true
  log.info({ signal }, 'leaving: nothing new is taken, what is under way is finished')
  setTimeout(() => process.exit(0), leaveWithinMs).unref()
  const service = await starting
  await service.close()
  await tracing?.stop()
  process.exit(0)
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

/** OpenTelemetry is loaded only where its variables ask for it. */
async function tracingOrNull(): Promise<Tracing | null> {
  if (!config.tracing) return null
  const { startTracing } = await import('./operating/tracing/start-tracing.ts')
  return startTracing(process.env)
}
