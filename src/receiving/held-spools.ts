import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { leftFolders } from '../workers/worker-folders.ts'
import { openSpool, type Spool, SpoolTaken, spoolFile } from './spool.ts'

/** The spools of this process: its own, and those that others left on its disk. */
export interface HeldSpools {
  /** Where callbacks go while the database is away; null: none is wanted, or it is not available yet. */
  own(): Spool | null
  all(): readonly Spool[]
  /** Called for each of them, including one that becomes available later. */
  onHad(work: (spool: Spool) => void): void
  close(): void
}

export interface HoldSpoolsOptions {
  config: Pick<Config, 'dataDir' | 'spoolMaxBytes' | 'workers'>
  sealer: Sealer
  log: Logger
  /** Of several processes, the first brings in what processes that no longer exist left on disk. */
  isFirst: boolean
}

/** From here on others should take the callbacks. */
const nearlyFull = 0.9
const askAgainMs = 1_000

/**
 * Opens all spools that there are. One that can't be opened is tried again: the process that holds it may be the one
 * being replaced, and may leave callbacks behind. Meanwhile the service runs without it: the database is there far more
 * often than not.
 */
export function holdSpools({ config, sealer, log, isFirst }: HoldSpoolsOptions): HeldSpools {
  const { dataDir, spoolMaxBytes: maxBytes, workers } = config
  const had: Spool[] = []
  const listeners: ((spool: Spool) => void)[] = []
  let own: Spool | null = null
  let told: string | null = null

  function askForOwn(maxBytes: number): void {
    try {
      own = openSpool({ dataDir, sealer, maxBytes })
    } catch (error) {
      tell(error)
      return
    }
    if (told !== null) log.info('the spool in DATA_DIR could be opened after all')
    have(own)
  }

  /** Logged once, and again when the reason changes. */
  function tell(error: unknown): void {
    const reason = String(error)
    if (reason === told) return
    told = reason
    if (error instanceof SpoolTaken) {
      log.warn(
        'another process uses the spool in this DATA_DIR: running without one until it ends; give each a folder of its own',
      )
    } else log.error({ err: error }, 'the spool in DATA_DIR can not be opened: running without one')
  }

  /** False: who filled it has it still, and may leave more in it. */
  function openLeft(folder: string): boolean {
    try {
      const left = openSpool({ dataDir: folder, sealer, maxBytes: maxBytes ?? 0 })
      if (left.depth() > 0) have(left)
      else left.close()
    } catch (error) {
      if (error instanceof SpoolTaken) return false
      log.error({ err: error, folder }, 'a spool that another process left can not be opened')
    }
    return true
  }

  function have(spool: Spool): void {
    if (spool.depth() > 0) log.info({ callbacks: spool.depth() }, 'the spool holds callbacks of an earlier process')
    had.push(spool)
    for (const listener of listeners) listener(spool)
  }

  /** Of workers that there are no more, or of the time when a spool was wanted here: somebody has to bring these in. */
  let left = (isFirst ? [...(maxBytes === null ? [dataDir] : []), ...leftFolders(dataDir, workers)] : []).filter(
    folder => existsSync(path.join(folder, spoolFile)),
  )
  function ask(): void {
    if (own === null && maxBytes !== null) askForOwn(maxBytes)
    left = left.filter(folder => !openLeft(folder))
    if (left.length === 0 && (own !== null || maxBytes === null)) clearInterval(asking)
  }

  const asking = setInterval(ask, askAgainMs).unref()
  ask()
  return {
    own: () => own,
    all: () => had,
    onHad(work) {
      listeners.push(work)
      for (const spool of had) work(spool)
    },
    close() {
      clearInterval(asking)
      for (const spool of had) spool.close()
    },
  }
}

/**
 * Whether others should take the callbacks. One that is too old is no reason to give it up: it was acknowledged. Those
 * set aside because their key is missing do not count here: a metric reports them, and no other replica could help.
 */
export function spoolProblems(spool: Spool | null, { spoolMaxAgeMs }: Pick<Config, 'spoolMaxAgeMs'>): string[] {
  if (spool === null) return []
  return [
    ...(spool.bytes() >= nearlyFull * spool.maxBytes ? ['the spool is nearly full'] : []),
    ...(spool.oldestInTurnAgeMs() > spoolMaxAgeMs ? ['the spool holds callbacks for longer than SPOOL_MAX_AGE'] : []),
  ]
}
