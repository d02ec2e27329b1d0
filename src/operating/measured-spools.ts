import { type Aggregator, Gauge, type Registry } from 'prom-client'

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

/** Gauges of the spools that it is given later; until then there are none. */
export function measureSpools(registers: Registry[]): (held: MeasuredSpools) => void {
  let spools: MeasuredSpools = { wanted: false, own: () => null, all: () => [], maxAgeMs: Number.POSITIVE_INFINITY }
  const sum = (of: (spool: MeasuredSpool) => number) => spools.all().reduce((total, spool) => total + of(spool), 0)
  const oldestAgeMs = () => Math.max(0, ...spools.all().map(spool => spool.oldestAgeMs()))
  const gauge = (name: string, aggregator: Aggregator, help: string, measure: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      aggregator,
      collect() {
        this.set(measure())
      },
    })
  gauge(
    'thingspace_spool_wanted',
    'max',
    '1 when callbacks are to be spooled to disk while the database is away (SPOOL), otherwise 0',
    () => Number(spools.wanted),
  )
  gauge(
    'thingspace_spool_active',
    'min',
    '1 when they can be: this process has the spool in DATA_DIR to itself, otherwise 0',
    () => Number(spools.own() !== null),
  )
  gauge('thingspace_spool_depth', 'sum', 'Spooled callbacks that are not in the database yet', () =>
    sum(spool => spool.depth()),
  )
  gauge('thingspace_spool_bytes', 'sum', 'Bytes that spooled callbacks take', () => sum(spool => spool.bytes()))
  gauge('thingspace_spool_max_bytes', 'sum', 'Bytes that spooled callbacks may take (SPOOL_MAX_BYTES)', () =>
    sum(spool => spool.maxBytes),
  )
  gauge(
    'thingspace_spool_oldest_age_seconds',
    'max',
    'Seconds for which the oldest spooled callback has been waiting; 0 when there is none',
    () => oldestAgeMs() / 1_000,
  )
  gauge(
    'thingspace_spool_too_old',
    'max',
    '1 when the oldest spooled callback has been waiting for longer than SPOOL_MAX_AGE, otherwise 0',
    () => Number(oldestAgeMs() > spools.maxAgeMs),
  )
  return held => {
    spools = held
  }
}
