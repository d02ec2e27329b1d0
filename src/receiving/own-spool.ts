import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { leftFolders } from '../workers/worker-folders.ts'
import { openSpool, type Spool, SpoolTaken } from './spool.ts'

/** From here on others should take the callbacks. */
const nearlyFull = 0.9

/** The spool of this process. Without one it goes on: the database is there far more often than it is away. */
export function openOwnSpool(
  { dataDir, spoolMaxBytes }: Pick<Config, 'dataDir' | 'spoolMaxBytes'>,
  sealer: Sealer,
  log: Logger,
): Spool | null {
  if (spoolMaxBytes === null) return null
  try {
    const spool = openSpool({ dataDir, sealer, maxBytes: spoolMaxBytes })
    if (spool.depth() > 0) log.info({ callbacks: spool.depth() }, 'the spool holds callbacks of an earlier process')
    return spool
  } catch (error) {
    if (error instanceof SpoolTaken) {
      log.warn('another process has the spool in this DATA_DIR: running without one; give each process its own folder')
    } else {
      log.error({ err: error }, 'the spool in DATA_DIR can not be opened: running without one')
    }
    return null
  }
}

/** Those of workers that there are no more, when they hold callbacks: somebody has to bring these in. */
export function openLeftSpools(
  { dataDir, spoolMaxBytes, workers }: Pick<Config, 'dataDir' | 'spoolMaxBytes' | 'workers'>,
  sealer: Sealer,
  log: Logger,
): Spool[] {
  return leftFolders(dataDir, workers).flatMap(folder => {
    const spool = openOwnSpool({ dataDir: folder, spoolMaxBytes }, sealer, log)
    if (spool === null || spool.depth() > 0) return spool ?? []
    spool.close()
    return []
  })
}

/**
 * Whether others should take the callbacks. One that is too old is no reason to give it up: it was acknowledged. Those
 * set aside for a key that is missing are not among these: the metric tells of them, and no other replica could help.
 */
export function spoolProblems(spool: Spool | null, { spoolMaxAgeMs }: Pick<Config, 'spoolMaxAgeMs'>): string[] {
  if (spool === null) return []
  return [
    ...(spool.bytes() >= nearlyFull * spool.maxBytes ? ['the spool is nearly full'] : []),
    ...(spool.oldestInTurnAgeMs() > spoolMaxAgeMs ? ['the spool holds callbacks for longer than SPOOL_MAX_AGE'] : []),
  ]
}
