import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { type Service, startService } from '../service.ts'
import { type RunningSimulator, startSimulator } from '../simulator/start-simulator.ts'
import { createThingSpaceClient, type ThingSpaceClient } from '../thingspace/client.ts'
import type { DemoOptions } from './demo-options.ts'
import { accountName, serviceName } from './demo-scenario.ts'
import type { Screen } from './demo-screen.ts'

export interface Stage {
  service: Service
  simulator: RunningSimulator
  thingspace: ThingSpaceClient
}

const databaseWithinMs = 10_000

/**
 * Starts the service and the carrier, and registers the service's URL there. `onStarted` gets what must be closed at
 * the end.
 */
export async function setStage(
  { seed, config }: DemoOptions,
  log: Logger,
  screen: Screen,
  onStarted: (close: () => Promise<void>) => void,
): Promise<Stage> {
  const done = (what: string, where: string) => screen.say(`  ${what.padEnd(18)}  ${where}`)

  const credentials = { key: 'demo-key', secret: 'demo-secret', username: 'demo-user', password: 'demo-password' }
  // Refused callbacks are retried soon, so that the demo does not wait for the carrier's five minutes.
  const simulator = await startSimulator({ seed, credentials, settings: { retryRefused: 'observed' } })
  onStarted(simulator.close)
  done('simulated carrier', simulator.url)

  // With the carrier's address and a login, the service asks it about overdue activations.
  const thingSpace = { baseUrl: simulator.url, ...credentials }
  const service = await showing(screen, 'starting the database and the service', async () => {
    const started = await startService({ ...config, thingSpace }, log)
    onStarted(started.close)
    await withinTime(started.opened)
    return started
  })
  done('database', describeDatabase(config))
  done('this service', service.url)

  const thingspace = createThingSpaceClient(thingSpace)
  const url = `${service.url}/callbacks/${accountName}/${serviceName}`
  const password = randomBytes(18).toString('base64url')
  await thingspace.registerListener(accountName, { name: serviceName, url, username: 'demo-listener', password })
  const listeners = await thingspace.listListeners(accountName)
  if (!listeners.some(listener => listener.url === url)) throw new Error('the carrier does not list our listener')
  done('callbacks go to', url)
  return { service, simulator, thingspace }
}

async function showing<T>(screen: Screen, what: string, work: () => Promise<T>): Promise<T> {
  const since = Date.now()
  const show = () => screen.progress(`  ${what} ... ${((Date.now() - since) / 1_000).toFixed(0)} s`)
  show()
  const timer = setInterval(show, 500)
  try {
    return await work()
  } finally {
    clearInterval(timer)
    screen.clear()
  }
}

async function withinTime(opened: Promise<void>): Promise<void> {
  const over = sleep(databaseWithinMs, 'over' as const, { ref: false })
  if ((await Promise.race([opened, over])) === 'over') {
    throw new Error(`the database was not ready within ${databaseWithinMs / 1_000} s; see the warnings above`)
  }
}

/** Without the password that a URL may contain. */
function describeDatabase({ databaseUrl, dataDir }: Config): string {
  if (databaseUrl === null) return `PostgreSQL, embedded, kept in ${dataDir}`
  const { host, pathname } = new URL(databaseUrl)
  return `PostgreSQL at ${host}${pathname} (DATABASE_URL)`
}
