import type { LoadResult } from './order.ts'
import { type Contestant, sendLoad } from './processes.ts'
import { measuredRow, type Row } from './report.ts'

export interface Turns {
  rounds: number
  seconds: number
}

/** Each of a group in turn, round after round; the first one of a group is what its others are compared with. */
export async function inTurn<T extends { name: string }>(
  rounds: number,
  groups: readonly string[],
  compared: readonly T[],
  measure: (one: T, group: string, round: number) => Promise<LoadResult>,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const group of groups) {
    const results = new Map<string, LoadResult[]>(compared.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const one of compared) results.get(one.name)?.push(await measure(one, group, round))
    }
    rows.push(...[...results].map(([name, measured]) => measuredRow(group, name, measured)))
  }
  return rows
}

export async function repeated<T>(rounds: number, measure: (n: number) => Promise<T>): Promise<T[]> {
  const measured: T[] = []
  for (let n = 0; n < rounds; n += 1) measured.push(await measure(n))
  return measured
}

interface Callbacks {
  connections: number
  /** Marks the requests of this run, so that they are not those of another. */
  run: string
  seconds: number
  /** Of a hundred, how many are sent a second time. */
  repeats?: number
  /** Callbacks a second, where not as many as can be. */
  rate?: number
}

/** Callbacks of requests that are not recorded, one of each. */
export function sendCallbacks({ name, url }: Contestant, { connections, run, seconds, repeats = 0, rate }: Callbacks) {
  const label = `${name}-${run}`.replace(/\W+/g, '')
  const order = { url, connections, seconds, run: label, perRequest: 1, repeats }
  return sendLoad(rate === undefined ? order : { ...order, rate })
}
