import { CarrierError } from '../thingspace/carrier-error.ts'
import { aloneWithListeners, type Carrier } from './place-listeners.ts'
import { type ListenerName, retireListener } from './stored-listeners.ts'

export interface Removed {
  /** Whether ThingSpace had it, and whether we had. */
  atCarrier: boolean
  here: boolean
}

/**
 * Deregisters a listener: first at ThingSpace, then here, where its credentials are accepted for another day, since
 * callbacks may be on their way. Throws a CarrierError when ThingSpace may still have it; then nothing changes here.
 */
export function removeListener({ db, client }: Carrier, listener: ListenerName): Promise<Removed> {
  return aloneWithListeners(db, async () => {
    const atCarrier = await client.deregisterListener(listener.accountName, listener.serviceName).then(
      () => true,
      error => {
        if (error instanceof CarrierError && error.httpStatus === 404) return false
        throw error
      },
    )
    return { atCarrier, here: await retireListener(db, listener) }
  })
}
