import type { Logger } from 'pino'
import type { Config } from '../config.ts'

/** What is on, what is off, and where to look. */
export async function greet(
  config: Config,
  { url, opened, isTriedOut }: { url: string; opened: Promise<void>; isTriedOut: () => boolean },
  log: Logger,
): Promise<void> {
  log.info({ url, docs: `${url}/docs`, health: `${url}/health/ready` }, `listening on ${url}`)
  await opened
  if (isTriedOut()) {
    log.warn(
      'TRY-OUT MODE: no listener and no token is configured. Only this machine is served, callbacks need no ' +
        'credentials, and the data is kept for trying only. See .env.example for running it in earnest.',
    )
  }
  log.info({ database: config.databaseUrl === null ? `embedded, in ${config.dataDir}` : 'DATABASE_URL' }, 'ready')
}
