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
    const { accountName, serviceName } = listener
    const atCarrier = await client.deregisterListener(accountName, serviceName).then(
      () => true,
      async error => {
        if (!(error instanceof CarrierError) || (await mayHaveIt(client, listener))) throw error
        return error.outcome === 'unknown'
      },
    )
    return { atCarrier, here: await retireListener(db, listener) }
  })
}

/** How ThingSpace refuses what is not there is not documented, and an answer may be lost: only its list tells. */
async function mayHaveIt(client: Carrier['client'], { accountName, serviceName }: ListenerName): Promise<boolean> {
  try {
    const listed = await client.listListeners(accountName)
    return listed.some(one => one.serviceName === serviceName)
  } catch {
    return true
  }
}
