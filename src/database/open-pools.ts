import { type JobStore, openJobStore } from './job-store.ts'
import { openPipelinedDatabase, type PipelinedDatabase } from './pipeline.ts'
import { type Database, openDatabase, type WatchedPool } from './pool.ts'
import { openReading, type Reading } from './seen-by.ts'

/** Separate pools, so that queries never starve receiving, nor background work the queries. */
export interface Pools {
  receiving: PipelinedDatabase
  reading: Reading
  asking: Database
  background: JobStore
  watched: ReadonlyMap<string, WatchedPool>
  destroy(): Promise<void>
}

const limits = {
  // Everything that is asked is found by key. A dead link is noticed a second after this.
  statementTimeoutMs: 3_000,
  lockTimeoutMs: 2_000,
  connectionTimeoutMs: 3_000,
}

export function openPools(url: string, onConnectionError: (error: Error) => void): Pools {
  const watched = new Map<string, WatchedPool>()
  const options = (name: string) => ({
    url,
    name: `thingspace ${name}`,
    onConnectionError,
    watch: (pool: WatchedPool) => watched.set(name, pool),
  })
  const receiving = openPipelinedDatabase({
    ...options('receiving'),
    connections: 3,
    statementTimeoutMs: 1_500,
    lockTimeoutMs: 250,
    connectionTimeoutMs: 1_000,
  })
  const reading = openReading({ ...options('reading'), ...limits, connections: 6 })
  const asking = openDatabase({ ...options('asking'), ...limits, connections: 5 })
  const background = openJobStore({ ...options('background'), ...limits, connections: 4 })
  return {
    receiving,
    reading,
    asking,
    background,
    watched,
    async destroy() {
      await Promise.all([receiving.destroy(), asking.destroy(), reading.destroy(), background.db.destroy()])
    },
  }
}
