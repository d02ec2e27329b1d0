import { readFileSync } from 'node:fs'
import {
  type ExpectWithin,
  readDatabaseUrl,
  readDuration,
  readExpectWithin,
  readKeeping,
  readKey,
  readLinesPerSecond,
  readList,
  readLogLevel,
  readNumber,
  readProxies,
  readServices,
  readSources,
  readSwitch,
  readTimeLimit,
} from './config-values.ts'
import { nameInUrl } from './listeners/callback-url.ts'
import type { ApiToken } from './operating/access.ts'
import { isLoopback } from './operating/address-list.ts'
import { readApiTokens } from './operating/api-tokens.ts'
import { type RateLimits, readRateLimits } from './operating/read-rate-limits.ts'
import type { HttpLimits } from './operating/strict-http.ts'
import { isTracingWanted } from './operating/tracing/wanted.ts'
import { fingerprintsKeptMs, type Retention } from './retention/keep.ts'
import { readBaseUrl } from './thingspace/call.ts'

export type { ExpectWithin }

export interface Config {
  host: string
  port: number
  /** Processes that share the port; each is a whole replica. */
  workers: number
  databaseUrl: string | null
  dataDir: string
  /** Bytes that callbacks may take on disk while the database is away; null: none are kept there. */
  spoolMaxBytes: number | null
  /** Milliseconds after which a callback that is still there raises an alarm. It is never given up. */
  spoolMaxAgeMs: number
  migrate: boolean
  listeners: Listener[]
  tokens: ApiToken[]
  /** How much each token may ask. */
  rateLimits: RateLimits
  /**
   * Neither a listener nor a token is configured: unless the database holds some, only loopback peers are served, and
   * callbacks need no credentials. Never beyond loopback.
   */
  tryOut: boolean
  allowedSources: string[]
  trustedProxies: string[]
  callbackBodyLimit: number
  http: HttpLimits
  sealKey: Buffer | null
  sealKeysPrevious: Buffer[]
  logLevel: string
  /** Beyond this, only the number of callbacks is logged. */
  logCallbacksPerSecond: number
  expectWithin: ExpectWithin
  keep: Retention
  /** Whether OpenTelemetry's own variables turn traces on. */
  tracing: boolean
  /** null: ThingSpace is asked nothing, only its callbacks are taken. */
  thingSpace: ThingSpaceAccess | null
}

/** How to call ThingSpace: the application's key and secret, and the user who logs in. */
export interface ThingSpaceAccess {
  baseUrl: string
  key: string
  secret: string
  username: string
  password: string
}

/** What we registered at ThingSpace for one account and some of its services. */
export interface Listener {
  accountName: string
  serviceNames: string[]
  username: string
  password: string
  previousPassword: string | null
}

/** Every problem of the environment at once, each with its variable and how to fix it. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly problems: string[]
  constructor(problems: string[]) {
    super(`the configuration can't work:\n${problems.map(problem => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/**
 * The addresses that Verizon says it calls from ([DOC], fact sheet 1.1; the list has changed before). Loopback is added
 * below.
 */
export const publishedSources = [
  '3.87.163.45',
  '3.91.119.203',
  '54.197.62.209',
  '35.165.205.14',
  '54.200.43.232',
  '34.216.81.234',
  '137.117.33.109',
  '168.62.173.153',
]
const loopback = ['127.0.0.0/8', '::1']
const dayMs = 86_400_000
const defaultServices = 'CarrierService,DeviceProfileService'

type Env = { [name: string]: string | undefined }

/** From the environment to a Config. Pure, except that it reads the files that `*_FILE` variables name. */
export function readConfig(environment: Env): Config {
  const problems: string[] = []
  const env = withFiles(environment, problems)
  const attempt = <T>(name: string, read: () => T, fallback: T): T => {
    try {
      return read()
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`)
      return fallback
    }
  }
  const host = env.HOST ?? '127.0.0.1'
  const databaseUrl = env.DATABASE_URL ?? null
  const serviceNames = attempt(
    'THINGSPACE_SERVICES',
    () => readServices(env.THINGSPACE_SERVICES ?? defaultServices),
    [],
  )
  const listeners = attempt(
    'CALLBACK_USERNAME, CALLBACK_PASSWORD, THINGSPACE_ACCOUNT',
    () => readListeners(env, serviceNames),
    [],
  )
  const tokens = attempt('API_TOKENS', () => readApiTokens(env.API_TOKENS ?? ''), [])
  const config: Config = {
    host,
    port: attempt('PORT', () => readNumber(env.PORT ?? '3000', 0, 65_535), 3000),
    workers: attempt('WORKERS', () => readNumber(env.WORKERS ?? '1', 1, 64), 1),
    databaseUrl: databaseUrl === null ? null : attempt('DATABASE_URL', () => readDatabaseUrl(databaseUrl), null),
    dataDir: env.DATA_DIR ?? '.data',
    spoolMaxBytes: attempt('SPOOL, SPOOL_MAX_BYTES', () => readSpool(env), null),
    spoolMaxAgeMs: attempt('SPOOL_MAX_AGE', () => readDuration(env.SPOOL_MAX_AGE ?? '6h'), 0),
    migrate: attempt('MIGRATE', () => readSwitch(env.MIGRATE ?? 'on'), true),
    listeners,
    tokens,
    rateLimits: attempt('RATE_LIMIT', () => readRateLimits(env.RATE_LIMIT), { default: null, byToken: {} }),
    tryOut: listeners.length === 0 && tokens.length === 0 && isLoopback(hostAddress(host)),
    allowedSources: attempt(
      'CALLBACK_ALLOWED_SOURCES',
      () => readSources(env.CALLBACK_ALLOWED_SOURCES ?? [...publishedSources, ...loopback].join()),
      [],
    ),
    trustedProxies: attempt('TRUSTED_PROXIES', () => readProxies(env.TRUSTED_PROXIES ?? ''), []),
    callbackBodyLimit: attempt(
      'CALLBACK_BODY_LIMIT',
      () => readNumber(env.CALLBACK_BODY_LIMIT ?? '65536', 1_024, 16_777_216),
      65_536,
    ),
    http: {
      requestTimeout: attempt('REQUEST_TIMEOUT', () => readTimeLimit(env.REQUEST_TIMEOUT ?? '10s'), 0),
      maxHeaderSize: attempt('MAX_HEADER_SIZE', () => readNumber(env.MAX_HEADER_SIZE ?? '16384', 1_024, 262_144), 0),
      maxConnections: attempt('MAX_CONNECTIONS', () => readNumber(env.MAX_CONNECTIONS ?? '5000', 1, 100_000), 0),
    },
    sealKey: env.SEAL_KEY === undefined ? null : attempt('SEAL_KEY', () => readKey(env.SEAL_KEY ?? ''), null),
    sealKeysPrevious: attempt('SEAL_KEYS_PREVIOUS', () => readList(env.SEAL_KEYS_PREVIOUS ?? '').map(readKey), []),
    logLevel: attempt('LOG_LEVEL', () => readLogLevel(env.LOG_LEVEL ?? 'info'), 'info'),
    logCallbacksPerSecond: attempt(
      'LOG_CALLBACKS_PER_SECOND',
      () => readLinesPerSecond(env.LOG_CALLBACKS_PER_SECOND ?? '200'),
      0,
    ),
    expectWithin: attempt('EXPECT_WITHIN', () => readExpectWithin(env.EXPECT_WITHIN ?? '15m'), {
      default: 0,
      byOperation: {},
    }),
    keep: {
      callbacks: attempt(
        'KEEP_CALLBACKS',
        () => readKeeping(env.KEEP_CALLBACKS ?? '400d', fingerprintsKeptMs, 'or a repeat would count as new'),
        null,
      ),
      history: attempt(
        'KEEP_HISTORY',
        () => readKeeping(env.KEEP_HISTORY ?? '400d', dayMs, 'or who follows the changes would miss some'),
        null,
      ),
    },
    tracing: attempt('OpenTelemetry', () => isTracingWanted(env), false),
    thingSpace: attempt('THINGSPACE_*', () => readThingSpace(env), null),
  }
  if (databaseUrl !== null && env.SEAL_KEY === undefined) {
    problems.push('SEAL_KEY: needed with DATABASE_URL; make one with: openssl rand -base64 32')
  }
  // An existing database may hold listeners and tokens: the service checks that once it is open.
  if (listeners.length === 0 && tokens.length === 0 && !isLoopback(hostAddress(host)) && databaseUrl === null) {
    problems.push(unprotected(host))
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

/** The message about a service that others can reach although it has neither a listener nor a token. */
export function unprotected(host: string): string {
  return (
    `HOST: ${host} can be reached by others, but nothing protects the service: set THINGSPACE_ACCOUNT, ` +
    'CALLBACK_USERNAME and CALLBACK_PASSWORD (a listener) and API_TOKENS, or make them with npm run listener and ' +
    'npm run token, or listen on 127.0.0.1 to try it out'
  )
}

function hostAddress(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}

/** `NAME_FILE` names a file, such as a mounted secret, that holds the value of `NAME`. */
function withFiles(environment: Env, problems: string[]): Env {
  const env: Env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  for (const [name, file] of Object.entries(env)) {
    const target = name.slice(0, -'_FILE'.length)
    if (!name.endsWith('_FILE') || file === undefined || !readFromFile.has(target)) continue
    try {
      env[target] ??= readFileSync(file, 'utf8').trim()
    } catch (error) {
      problems.push(`${name}: the file can't be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  return env
}

const readFromFile = new Set([
  'DATABASE_URL',
  'CALLBACK_USERNAME',
  'CALLBACK_PASSWORD',
  'CALLBACK_PASSWORD_PREVIOUS',
  'SEAL_KEY',
  'SEAL_KEYS_PREVIOUS',
  'API_TOKENS',
  'THINGSPACE_KEY',
  'THINGSPACE_SECRET',
  'THINGSPACE_USERNAME',
  'THINGSPACE_PASSWORD',
])

function readListeners(env: Env, serviceNames: string[]): Listener[] {
  const { THINGSPACE_ACCOUNT, CALLBACK_USERNAME, CALLBACK_PASSWORD } = env
  const needed = { THINGSPACE_ACCOUNT, CALLBACK_USERNAME, CALLBACK_PASSWORD }
  const missing = Object.entries(needed).flatMap(([name, value]) => (value === undefined ? [name] : []))
  if (missing.length === 3) return []
  if (missing.length > 0) throw new Error(`a listener needs all three; missing: ${missing.join(', ')}`)
  if (!nameInUrl.test(THINGSPACE_ACCOUNT ?? '')) {
    throw new Error('THINGSPACE_ACCOUNT must be a billing account such as 0000123456-00001')
  }
  return [
    {
      accountName: THINGSPACE_ACCOUNT ?? '',
      serviceNames,
      username: CALLBACK_USERNAME ?? '',
      password: CALLBACK_PASSWORD ?? '',
      previousPassword: env.CALLBACK_PASSWORD_PREVIOUS ?? null,
    },
  ]
}

const thingSpaceVariables = ['THINGSPACE_KEY', 'THINGSPACE_SECRET', 'THINGSPACE_USERNAME', 'THINGSPACE_PASSWORD']

function readThingSpace(env: Env): ThingSpaceAccess | null {
  const [key, secret, username, password] = thingSpaceVariables.map(name => env[name])
  const baseUrl = readBaseUrl(env.THINGSPACE_BASE_URL ?? 'https://thingspace.verizon.com')
  const missing = thingSpaceVariables.filter(name => env[name] === undefined)
  if (missing.length === thingSpaceVariables.length) return null
  if (key === undefined || secret === undefined || username === undefined || password === undefined) {
    throw new Error(`calling ThingSpace needs all four; missing: ${missing.join(', ')}`)
  }
  return { baseUrl, key, secret, username, password }
}

/** Off unless somebody chose the folder: otherwise acknowledged callbacks would lie where nobody looks after them. */
function readSpool(env: Env): number | null {
  const maxBytes = readNumber(env.SPOOL_MAX_BYTES ?? '1073741824', 1, 1_099_511_627_776)
  return readSwitch(env.SPOOL ?? (env.DATA_DIR === undefined ? 'off' : 'on')) ? maxBytes : null
}
