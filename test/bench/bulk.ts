import { type Contestant, sendLoad, token } from './processes.ts'
import { record } from './requests.ts'

export interface BulkTimes {
  recordedMs: number
  acknowledgedMs: number
  /** From the first callback until the activation shows all of them. */
  visibleMs: number
}

/** A bulk activation of 10,000: recorded, called back for, and shown. */
export async function measureBulk(service: Contestant, run: string): Promise<BulkTimes> {
  const size = 10_000
  const begin = performance.now()
  await record(service, `${run}-0`, 1, size)
  const recorded = performance.now()
  const order = { url: service.url, connections: 64, seconds: 0, amount: size, run, perRequest: size, repeats: 0 }
  const { ok } = await sendLoad(order)
  const acknowledged = performance.now()
  if (ok !== size) throw new Error(`only ${ok} callbacks of the bulk were acknowledged`)
  const response = await fetch(`${service.url}/v1/activations/${run}-0`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const { status } = (await response.json()) as { status: string }
  if (status !== 'succeeded') throw new Error(`the bulk shows as ${status}`)
  return {
    recordedMs: recorded - begin,
    acknowledgedMs: acknowledged - recorded,
    visibleMs: performance.now() - recorded,
  }
}
