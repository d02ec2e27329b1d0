import type { Logger } from 'pino'
import type { Metrics } from '../operating/metrics.ts'
import { type Drain, type DrainSpoolOptions, drainSpool } from './drain-spool.ts'
import type { HeldSpools } from './held-spools.ts'

export interface DrainSpoolsOptions extends Pick<DrainSpoolOptions, 'writer' | 'outage' | 'probe'> {
  spools: HeldSpools
  metrics: Pick<Metrics, 'drained'>
  log: Logger
  isClosing: () => boolean
}

/** A drain for each spool, including one that becomes available later. None runs before they are started. */
export function drainSpools({ spools, metrics, log, isClosing, ...options }: DrainSpoolsOptions): Drain {
  const drains: Drain[] = []
  let isStarted = false
  spools.onHad(spool => {
    const drain = drainSpool({
      ...options,
      spool,
      onDrained: callbacks => metrics.drained.inc(callbacks),
      onUnopened: callbacks =>
        log.error({ callbacks }, 'spooled callbacks do not open: add their key to SEAL_KEYS_PREVIOUS and start again'),
      onFailure: error => log.error({ err: error }, 'the spool can not be drained'),
    })
    drains.push(drain)
    if (isStarted && !isClosing()) drain.start()
  })
  return {
    start() {
      isStarted = true
      for (const drain of drains) drain.start()
    },
    async stop() {
      await Promise.all(drains.map(drain => drain.stop()))
    },
  }
}
