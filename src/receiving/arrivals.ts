import type { ActivationState, Arrival } from '../correlation/working-set.ts'
import type { IncomingCallback } from './incoming-callback.ts'

/** What a callback brings to its activation: one report per profile or device that it mentions. */
export function arrivalsOf(callback: IncomingCallback, activation: ActivationState | null, at: Date): Arrival[] {
  if (callback.reading.kind !== 'reports' || activation === null) return []
  return callback.reading.reports.map((report, ordinal) => ({
    sourceId: callback.id,
    ordinal,
    source: 'callback',
    activationId: activation.id,
    at,
    report,
  }))
}
