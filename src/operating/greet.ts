import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { splitHosts } from '../database/hosts.ts'
import { doubtsAboutService } from '../listeners/callback-url.ts'

export interface Greeted {
  url: string
  opened: Promise<void>
  isTriedOut: () => boolean
  /** How many there are, in the environment and in the database. */
  callers: () => { listeners: number; tokens: number }
  /** Whether the spool that is wanted could be opened. */
  hasSpool: () => boolean
  isClosing: () => boolean
}

/** Logs what is on, what is off and how to turn it on, and where to look. */
export async function greet(config: Config, service: Greeted, log: Logger): Promise<void> {
  const { url, opened, isTriedOut, callers, hasSpool, isClosing } = service
  log.info({ url, docs: `${url}/docs`, health: `${url}/health/ready` }, `listening on ${url}`)
  await opened
  // Told to leave before the database was reached: it never was ready.
  if (isClosing()) return
  if (isTriedOut()) {
    log.warn(
      'TRY-OUT MODE: no listener and no token is configured. Only this machine is served, callbacks need no ' +
        'credentials, and the data is only for trying it out. .env.example says how to run it in production.',
    )
  }
  for (const doubt of config.listeners.flatMap(({ serviceNames }) => serviceNames.flatMap(doubtsAboutService))) {
    log.warn(`THINGSPACE_SERVICES: ${doubt}`)
  }
  const parts = partsOf(config, callers(), hasSpool())
  const on = parts.flatMap(({ name, on }) => (on === null ? [] : [[name, on]]))
  const off = parts.flatMap(({ name, on, turnOn }) => (on === null ? [[name, turnOn]] : []))
  const look = { page: `${url}/`, docs: `${url}/docs`, metrics: `${url}/metrics`, health: `${url}/health/ready` }
  log.info({ on: Object.fromEntries(on), off: Object.fromEntries(off), look }, 'ready')
}

interface Part {
  name: string
  /** A description of it; null when it is off. */
  on: string | null
  turnOn: string
}

function partsOf(config: Config, { listeners, tokens }: ReturnType<Greeted['callers']>, hasSpool: boolean): Part[] {
  const { databaseUrl, dataDir, spoolMaxBytes, thingSpace } = config
  return [
    { name: 'database', on: databaseUrl === null ? `embedded, in ${dataDir}` : placeOf(databaseUrl), turnOn: '' },
    {
      name: 'listeners',
      on: listeners === 0 ? null : `${listeners}`,
      turnOn: 'npm run listener -- register, or THINGSPACE_ACCOUNT, CALLBACK_USERNAME and CALLBACK_PASSWORD',
    },
    { name: 'tokens', on: tokens === 0 ? null : `${tokens}`, turnOn: 'npm run token -- create, or API_TOKENS' },
    {
      name: 'sending',
      on: thingSpace === null ? null : thingSpace.baseUrl,
      turnOn: 'THINGSPACE_KEY, THINGSPACE_SECRET, THINGSPACE_USERNAME and THINGSPACE_PASSWORD',
    },
    {
      name: 'spool',
      on: spoolMaxBytes === null || !hasSpool ? null : `${dataDir}, up to ${spoolMaxBytes} bytes`,
      turnOn:
        spoolMaxBytes === null
          ? 'DATA_DIR, on a disk that outlives the process'
          : `wanted in ${dataDir}, but it can not be opened now: the log says why`,
    },
    { name: 'traces', on: config.tracing ? 'OpenTelemetry' : null, turnOn: 'OTEL_EXPORTER_OTLP_ENDPOINT' },
  ]
}

/** Where the database is, without the user and the password. */
function placeOf(databaseUrl: string): string {
  const [first = '', ...others] = splitHosts(databaseUrl)
  const { host, pathname } = new URL(first)
  return `${host}${pathname}${others.length > 0 ? ` and ${others.length} more hosts` : ''}`
}
