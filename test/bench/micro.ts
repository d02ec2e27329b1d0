import { prepareCallback } from '../../src/receiving/incoming-callback.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import { fingerprint } from '../../src/thingspace/fingerprint.ts'
import { readJsonMessage } from '../../src/thingspace/json-message.ts'
import { readCallback } from '../../src/thingspace/read-callback.ts'
import { makeCallback } from '../fixtures/make-callback.ts'

export interface Micro {
  name: string
  microseconds: number
}

const rounds = 5
const times = 20_000

/** What one callback of 1.3 kB costs in this process: the median of some rounds, after a warm-up. */
export function measureReading(): Micro[] {
  const credentials = { username: 'listener-acct1', password: 'LISTENER-PASSWORD-PLACEHOLDER' }
  const bytes = Buffer.from(JSON.stringify({ ...makeCallback(credentials), padding: 'x'.repeat(250) }))
  const json = readJsonMessage(bytes)
  if (!json.ok) throw new Error('the callback of the bench is no JSON')
  const key = Buffer.alloc(32, 7)
  const keys = { sealer: createSealer(key), fingerprintKey: key }
  const message = { id: '01a209e4-88fd-7081-b146-8ea9b31f82b7', accountName: 'a', serviceName: 's', bytes, json }
  return [
    { name: 'parse, with duplicate keys and depth', microseconds: median(() => readJsonMessage(bytes)) },
    { name: 'validate and read', microseconds: median(() => readCallback(json)) },
    { name: 'fingerprint', microseconds: median(() => fingerprint(key, 'a', json, bytes)) },
    { name: 'all of it, with sealing', microseconds: median(() => prepareCallback(message, keys)) },
  ]
}

function median(work: () => unknown): number {
  const measured = Array.from({ length: rounds + 1 }, () => {
    const started = performance.now()
    for (let n = 0; n < times; n += 1) work()
    return ((performance.now() - started) / times) * 1_000
  })
  return middle(measured.slice(1))
}

function middle(values: number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}
