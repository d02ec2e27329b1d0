import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { WatchedPool } from '../database/pool.ts'
import type { Backlog } from '../summary/find-backlog.ts'
import { beginAtZero } from './begin-at-zero.ts'
import { type ListenerDriftGauge, listenerDriftGauge } from './listener-drift.ts'
import { type MeasuredSpools, measureSpools } from './measured-spools.ts'
import { measureBacklog, measurePools } from './measured-state.ts'

/**
 * What the service counts. No identifier is ever a label, and every label has few values. None is called `job` or
 * `instance`: those are Prometheus's own, and it would rename ours.
 */
export interface Metrics {
  registry: Registry
  received: Counter<'service' | 'verdict'>
  refused: Counter<'reason'>
  unknownValues: Counter<'field'>
  batchSize: Histogram
  transactionSeconds: Histogram
  retries: Counter<'refusal'>
  listenerDrift: ListenerDriftGauge
  polls: Counter<'outcome'>
  carrierCalls: Counter<'call' | 'outcome'>
  jobFailures: Counter<'work'>
  jobSeconds: Histogram<'work'>
  spooled: Counter
  drained: Counter
  /** None: callbacks are not kept on the disk. */
  measureSpools(spools: MeasuredSpools): void
}

export interface Measured {
  /** How many processes should answer on this port. */
  workers: number
  queueDepth: () => number
  callersAgeMs: () => number
  /** How many wait for a change. */
  feedReaders: () => number
  pools: () => ReadonlyMap<string, WatchedPool>
  /** Called for every metrics page; all replicas report the same. */
  findBacklog: () => Promise<Backlog>
}

export function createMetrics(measured: Measured): Metrics {
  const { queueDepth, callersAgeMs, feedReaders } = measured
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'thingspace_callback_queue_depth',
    help: 'Callbacks that are waiting to be committed, or being committed',
    registers,
    collect() {
      this.set(queueDepth())
    },
  })
  new Gauge({
    name: 'thingspace_callers_age_seconds',
    help: 'Seconds since tokens and listeners were last read from the database; normally below one',
    registers,
    aggregator: 'max',
    collect() {
      this.set(callersAgeMs() / 1_000)
    },
  })
  new Gauge({
    name: 'thingspace_feed_readers',
    help: 'Requests that are waiting for a change, by poll or by stream',
    registers,
    collect() {
      this.set(feedReaders())
    },
  })
  measurePools(registers, measured.pools)
  measureBacklog(registers, measured.findBacklog)
  new Gauge({
    name: 'thingspace_workers',
    help: 'Processes that answer on this port (see WORKERS)',
    registers,
    collect() {
      this.set(1)
    },
  })
  new Gauge({
    name: 'thingspace_workers_wanted',
    help: 'Processes that should answer on this port: WORKERS',
    registers,
    aggregator: 'max',
  }).set(measured.workers)
  const metrics: Metrics = {
    registry,
    measureSpools: measureSpools(registers),
    spooled: new Counter({
      name: 'thingspace_spool_spooled_total',
      help: 'Callbacks that were spooled to disk because the database was away',
      registers,
    }),
    drained: new Counter({
      name: 'thingspace_spool_drained_total',
      help: 'Spooled callbacks that have been moved into the database',
      registers,
    }),
    received: new Counter({
      name: 'thingspace_callbacks_received_total',
      help: 'Authentic callbacks that were stored, by service and verdict',
      labelNames: ['service', 'verdict'],
      registers,
    }),
    refused: new Counter({
      name: 'thingspace_callbacks_refused_total',
      help: 'Requests to the callback URL that were not stored, by the status of the answer',
      labelNames: ['reason'],
      registers,
    }),
    unknownValues: new Counter({
      name: 'thingspace_unknown_values_total',
      help: 'Values in stored callbacks that no Verizon page mentions, by field',
      labelNames: ['field'],
      registers,
    }),
    batchSize: new Histogram({
      name: 'thingspace_callback_batch_size',
      help: 'Callbacks that shared one transaction',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      registers,
    }),
    transactionSeconds: new Histogram({
      name: 'thingspace_callback_transaction_seconds',
      help: 'Seconds from the start of a transaction of callbacks to its commit',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
      registers,
    }),
    retries: new Counter({
      name: 'thingspace_callback_transaction_retries_total',
      help: 'Transactions of callbacks that failed, by the kind of failure; most are tried again',
      labelNames: ['refusal'],
      registers,
    }),
    listenerDrift: listenerDriftGauge(registers),
    polls: new Counter({
      name: 'thingspace_polls_total',
      help: 'Status polls: how often ThingSpace was asked about a request, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    carrierCalls: new Counter({
      name: 'thingspace_calls_total',
      help: 'Calls to the ThingSpace API, by call and outcome',
      labelNames: ['call', 'outcome'],
      registers,
    }),
    jobSeconds: new Histogram({
      name: 'thingspace_job_seconds',
      help: 'Seconds that runs of background work took, including failed ones, by the kind of work',
      labelNames: ['work'],
      buckets: [0.01, 0.1, 1, 10, 60],
      registers,
    }),
    jobFailures: new Counter({
      name: 'thingspace_job_failures_total',
      help: 'Runs of background work that failed, by the kind of work; each is tried again',
      labelNames: ['work'],
      registers,
    }),
  }
  beginAtZero(metrics)
  return metrics
}
