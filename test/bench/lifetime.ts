import { type Contestant, sendLoad, startService } from './processes.ts'

/** Milliseconds from the start of the process until it is ready, on a database that runs and is migrated. */
export async function measureStart(databaseUrl: string): Promise<number> {
  const started = performance.now()
  const service = await startService(databaseUrl)
  const took = performance.now() - started
  service.stop()
  return took
}

export interface MemoryAt {
  callbacks: number
  bytes: number
}

const samples = 20

/** How much memory the service occupies after so many callbacks, from the first part of them to the last. */
export async function measureMemory(service: Contestant, callbacks: number): Promise<MemoryAt[]> {
  const series: MemoryAt[] = []
  for (let sample = 1; sample <= samples; sample += 1) {
    const amount = Math.ceil(callbacks / samples)
    const order = { url: service.url, connections: 64, seconds: 0, amount, run: `memory${sample}`, perRequest: 1 }
    await sendLoad({ ...order, repeats: 0 })
    series.push({ callbacks: sample * amount, bytes: service.memory?.() ?? Number.NaN })
  }
  return series
}
