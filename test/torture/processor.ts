import { readdir, readFile } from 'node:fs/promises'

/** Shares of one processor that processes and all below them take, from now until it is asked. Linux only: else null. */
export async function watchProcessor(pids: { [name: string]: number }): Promise<() => Promise<string | null>> {
  const before = await secondsOf(pids)
  const began = performance.now()
  return async () => {
    const after = await secondsOf(pids)
    if (before === null || after === null) return null
    const took = (performance.now() - began) / 1_000
    return Object.keys(pids)
      .map(name => `${name} ${(((after[name] ?? 0) - (before[name] ?? 0)) / took).toFixed(2)}`)
      .join(', ')
  }
}

const ticksPerSecond = 100

async function secondsOf(pids: { [name: string]: number }): Promise<{ [name: string]: number } | null> {
  const folders = await readdir('/proc').catch(() => [])
  const found = await Promise.all(folders.filter(name => /^\d+$/.test(name)).map(readStat))
  const stats = found.flatMap(stat => stat ?? [])
  if (stats.length === 0) return null
  const below = (pid: number): number =>
    stats.reduce((sum, one) => sum + (one.pid === pid ? one.ticks : one.parent === pid ? below(one.pid) : 0), 0)
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, below(pid) / ticksPerSecond]))
}

/** Its own time, and that of its children which ended. */
async function readStat(pid: string): Promise<{ pid: number; parent: number; ticks: number } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  const fields = text
    ?.slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  if (fields === undefined) return null
  const [, parent = 0] = fields
  return { pid: Number(pid), parent, ticks: fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) }
}
