import { Gauge, type Registry } from 'prom-client'

export interface ListenerDriftGauge {
  /** How many listeners differ, by kind; the figures are reported for this long. */
  set(counts: ReadonlyMap<string, number>, forMs: number): void
}

/**
 * Only the replica that looked last knows the current state, and the next look may be another replica's: so what this
 * one has found is not reported for ever.
 */
export function listenerDriftGauge(
  registers: Registry[],
  now: () => number = () => performance.now(),
): ListenerDriftGauge {
  let until = 0
  const gauge = new Gauge({
    name: 'thingspace_listener_drift',
    help: 'Listeners about which ThingSpace and this service differ, by kind of difference; reported by the replica that checked last',
    aggregator: 'max',
    labelNames: ['kind'],
    registers,
    collect() {
      if (now() >= until) this.reset()
    },
  })
  return {
    set(counts, forMs) {
      for (const [kind, count] of counts) gauge.set({ kind }, count)
      until = now() + forMs
    },
  }
}
