import { type Aggregator, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { WatchedPool } from '../database/pool.ts'
import type { Backlog } from '../summary/find-backlog.ts'
import { beginAtZero } from './begin-at-zero.ts'
import { type ListenerDriftGauge, listenerDriftGauge } from './listener-drift.ts'
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

export interface MeasuredSpools {
  wanted: boolean
  own(): MeasuredSpool | null
  all(): readonly MeasuredSpool[]
  maxAgeMs: number
}

export interface MeasuredSpool {
  depth(): number
  bytes(): number
  maxBytes: number
  oldestAgeMs(): number
}

export interface Measured {
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
    help: 'Callbacks that wait to be committed or are being committed',
    registers,
    collect() {
      this.set(queueDepth())
    },
  })
  new Gauge({
    name: 'thingspace_callers_age_seconds',
    help: 'Since when tokens and listeners were not read from the database; normally below one',
    registers,
    aggregator: 'max',
    collect() {
      this.set(callersAgeMs() / 1_000)
    },
  })
  new Gauge({
    name: 'thingspace_feed_readers',
    help: 'Requests that wait for a change, by poll or by stream',
    registers,
    collect() {
      this.set(feedReaders())
    },
  })
  measurePools(registers, measured.pools)
  measureBacklog(registers, measured.findBacklog)
  new Gauge({
    name: 'thingspace_workers',
    help: 'Processes that answer on this port, of WORKERS',
    registers,
    collect() {
      this.set(1)
    },
  })
  let spools: MeasuredSpools = { wanted: false, own: () => null, all: () => [], maxAgeMs: Number.POSITIVE_INFINITY }
  const gauge = (name: string, help: string, aggregator: Aggregator, measure: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      aggregator,
      collect() {
        this.set(measure())
      },
    })
  const sum = (of: (spool: MeasuredSpool) => number) => spools.all().reduce((total, spool) => total + of(spool), 0)
  const oldestAgeMs = () => Math.max(0, ...spools.all().map(spool => spool.oldestAgeMs()))
  gauge(
    'thingspace_spool_wanted',
    'Whether callbacks are to be kept on the disk while the database is away',
    'max',
    () => Number(spools.wanted),
  )
  gauge('thingspace_spool_active', 'Whether they can be', 'min', () => Number(spools.own() !== null))
  gauge('thingspace_spool_depth', 'Callbacks on the disk that are not in the database yet', 'sum', () =>
    sum(spool => spool.depth()),
  )
  gauge('thingspace_spool_bytes', 'Bytes that they take', 'sum', () => sum(spool => spool.bytes()))
  gauge('thingspace_spool_max_bytes', 'Bytes that they may take', 'sum', () => sum(spool => spool.maxBytes))
  gauge(
    'thingspace_spool_oldest_age_seconds',
    'Since when the oldest one waits; 0 without any',
    'max',
    () => oldestAgeMs() / 1_000,
  )
  gauge('thingspace_spool_too_old', 'Whether the oldest one waits for longer than SPOOL_MAX_AGE', 'max', () =>
    Number(oldestAgeMs() > spools.maxAgeMs),
  )
  const metrics: Metrics = {
    registry,
    measureSpools(held) {
      spools = held
    },
    spooled: new Counter({
      name: 'thingspace_spool_spooled_total',
      help: 'Callbacks that were kept on the disk because the database was away',
      registers,
    }),
    drained: new Counter({
      name: 'thingspace_spool_drained_total',
      help: 'Callbacks that went from the disk into the database',
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
      help: 'Requests at the callback URL that were not stored, by the status they were answered with',
      labelNames: ['reason'],
      registers,
    }),
    unknownValues: new Counter({
      name: 'thingspace_unknown_values_total',
      help: 'Values in stored callbacks that no Verizon page names, by field',
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
      help: 'Time from the begin of a transaction of callbacks to its commit',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
      registers,
    }),
    retries: new Counter({
      name: 'thingspace_callback_transaction_retries_total',
      help: 'Transactions of callbacks that did not go through, by why',
      labelNames: ['refusal'],
      registers,
    }),
    listenerDrift: listenerDriftGauge(registers),
    polls: new Counter({
      name: 'thingspace_polls_total',
      help: 'Times that ThingSpace was asked for the state of a request, by what came of it',
      labelNames: ['outcome'],
      registers,
    }),
    carrierCalls: new Counter({
      name: 'thingspace_calls_total',
      help: 'Calls of ThingSpace, by what was asked and what came of it',
      labelNames: ['call', 'outcome'],
      registers,
    }),
    jobSeconds: new Histogram({
      name: 'thingspace_job_seconds',
      help: 'How long runs of background work took, by which; those that failed too',
      labelNames: ['work'],
      buckets: [0.01, 0.1, 1, 10, 60],
      registers,
    }),
    jobFailures: new Counter({
      name: 'thingspace_job_failures_total',
      help: 'Runs of background work that failed, by which; each is tried again',
      labelNames: ['work'],
      registers,
    }),
  }
  beginAtZero(metrics)
  return metrics
}
