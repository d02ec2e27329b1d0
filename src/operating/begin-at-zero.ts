import { callbackServices } from '../thingspace/callback-services.ts'
import { fieldsWithKnownValues } from '../thingspace/known-values.ts'
import type { Metrics } from './metrics.ts'

const verdicts = ['applied', 'unchanged', 'repeated', 'unmatched', 'other', 'quarantined', 'spooled']
const usual = ['CarrierService', 'DeviceProfileService', 'other']
const refusals = ['400', '403', '408', '413', '415', '431', '503']

/**
 * To Prometheus, a counter whose first sample is already 1 has not grown: the first quarantined callback would raise no
 * alert. So every counter that an alert depends on starts at zero.
 */
export function beginAtZero({ received, refused, unknownValues }: Metrics): void {
  for (const service of usual) for (const verdict of verdicts) received.inc({ service, verdict }, 0)
  for (const service of callbackServices) received.inc({ service, verdict: 'quarantined' }, 0)
  for (const reason of refusals) refused.inc({ reason }, 0)
  for (const field of fieldsWithKnownValues) unknownValues.inc({ field }, 0)
}
