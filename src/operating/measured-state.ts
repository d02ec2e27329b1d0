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
    help: 'Work that waits for a connection to PostgreSQL, by pool',
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
      'Since when the oldest callback waits for the record of its activation; 0 without any',
    ),
    pendingSeconds: older(
      'thingspace_oldest_pending_age_seconds',
      'Since when the oldest activation waits for a final result; 0 without any',
    ),
    overdueSeconds: older(
      'thingspace_oldest_overdue_age_seconds',
      'Since when the time of the longest overdue activation is up; 0 without any',
    ),
  }
  new Gauge({
    name: 'thingspace_activations_overdue',
    help: 'Activations with targets that have no final result although their time is up',
    registers,
    // each worker tells the same
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
