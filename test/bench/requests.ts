import { device, makeCallback } from '../fixtures/make-callback.ts'
import { type Contestant, token } from './processes.ts'

export const account = '0000123456-00001'

/** Records one activation for devices `first` to `first + count - 1`, as `load.ts` numbers them. */
export async function record({ url }: Contestant, requestId: string, first: number, count: number): Promise<void> {
  const devices = Array.from({ length: count }, (_, at) => ({
    deviceIds: Object.entries(device(first + at)).map(([kind, id]) => ({ kind, id })),
  }))
  const response = await fetch(`${url}/v1/activations/${requestId}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ accountName: account, devices }),
  })
  if (response.status !== 201) throw new Error(`recording was answered with ${response.status}`)
}

/** One callback of 1.3 kB about a device, by itself. */
export async function sendOne(url: string, requestId: string, n: number): Promise<void> {
  const credentials = { username: 'listener-acct1', password: 'LISTENER-PASSWORD-PLACEHOLDER' }
  const callback = makeCallback({ requestId, ...device(n), ...credentials })
  const response = await fetch(`${url}/callbacks/${account}/CarrierService`, {
    method: 'POST',
    body: JSON.stringify({ ...callback, padding: 'x'.repeat(250) }),
  })
  if (response.status !== 200) throw new Error(`a callback was answered with ${response.status}`)
}
