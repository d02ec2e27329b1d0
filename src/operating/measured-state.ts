import { Gauge, type Registry } from 'prom-client'
import type { WatchedPool } from '../database/pool.ts'
import type { Backlog } from '../summary/find-backlog.ts'

/** Connections to PostgreSQL, by what they are for. */
export function measurePools(registers: Registry[], pools: () => ReadonlyMap<string, WatchedPool>): void {
  new Gauge({
    name: 'thingspace_pool_connections',
    help: 'Open connections to PostgreSQL, by pool and whether they are in use',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, { totalCount, idleCount }] of pools()) {
        this.set({ pool, state: 'busy' }, totalCount - idleCount)
        this.set({ pool, state: 'idle' }, idleCount)
      }
    },
  })
  new Gauge({
    name: 'thingspace_pool_waiting',
    help: 'Requests that are waiting for a connection to PostgreSQL, by pool',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, { waitingCount }] of pools()) this.set({ pool }, waitingCount)
    },
  })
}

/**
 * What waits for a callback or a record. Not reported while the database is away: the page has more urgent things to
 * say then.
 */
export function measureBacklog(registers: Registry[], find: () => Promise<Backlog>): void {
  const older = (name: string, help: string) => new Gauge({ name, help, registers, aggregator: 'max' })
  const oldest = {
    unmatchedSeconds: older(
      'thingspace_oldest_unmatched_age_seconds',
      'Seconds for which the oldest unmatched callback has been waiting for its activation to be recorded; 0 when there is none',
    ),
    pendingSeconds: older(
      'thingspace_oldest_pending_age_seconds',
      'Seconds for which the oldest open activation has been waiting for a final result; 0 when there is none',
    ),
    overdueSeconds: older(
      'thingspace_oldest_overdue_age_seconds',
      'Seconds by which the longest overdue activation is past its deadline; 0 when there is none',
    ),
  }
  new Gauge({
    name: 'thingspace_activations_overdue',
    help: 'Activations past their deadline with targets that still have no final result',
    registers,
    // Every worker reports the same.
    aggregator: 'max',
    async collect() {
      const backlog = await find().catch(() => null)
      if (backlog === null) {
        this.remove()
        for (const gauge of Object.values(oldest)) gauge.remove()
        return
      }
      this.set(backlog.overdue)
      oldest.unmatchedSeconds.set(backlog.unmatchedSeconds)
      oldest.pendingSeconds.set(backlog.pendingSeconds)
      oldest.overdueSeconds.set(backlog.overdueSeconds)
    },
  })
}
