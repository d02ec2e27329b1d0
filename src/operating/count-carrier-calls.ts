import { CarrierError } from '../thingspace/carrier-error.ts'
import type { ThingSpaceClient } from '../thingspace/client.ts'
import type { Metrics } from './metrics.ts'

/** The same client, with each call counted by its name and by `ok` or the kind of its error. */
export function countCarrierCalls(
  client: ThingSpaceClient,
  { carrierCalls }: Pick<Metrics, 'carrierCalls'>,
): ThingSpaceClient {
  const count = async <T>(call: string, answer: Promise<T>): Promise<T> => {
    try {
      const value = await answer
      carrierCalls.inc({ call, outcome: 'ok' })
      return value
    } catch (error) {
      carrierCalls.inc({ call, outcome: error instanceof CarrierError ? error.kind : 'error' })
      throw error
    }
  }
  return {
    // It usually calls nobody, so only its failures are counted.
    signIn: () => client.signIn().catch(error => count('sign-in', Promise.reject(error))),
    activate: request => count('activate', client.activate(request)),
    perform: (operation, request) => count(operation, client.perform(operation, request)),
    requestStatus: (account, requestId) => count('status', client.requestStatus(account, requestId)),
    registerListener: (account, listener) => count('register', client.registerListener(account, listener)),
    listListeners: account => count('list', client.listListeners(account)),
    deregisterListener: (account, service) => count('deregister', client.deregisterListener(account, service)),
    clearLoginLatch: () => client.clearLoginLatch(),
  }
}
