import os from 'node:os'
import type { BulkTimes } from './bulk.ts'
import type { MemoryAt } from './lifetime.ts'
import type { Micro } from './micro.ts'
import type { LoadResult } from './order.ts'

export interface Report {
  machine: string
  seconds: number
  rounds: number
  acknowledged: Row[]
  paced: Row[]
  workers: Row[]
  kinds: Row[]
  bulk: BulkTimes[]
  questions: Row[]
  /** Milliseconds from a callback's 200 to the reader who waits. */
  feedMs: number[]
  streamMs: number[]
  /** Milliseconds from the start of the process until it is ready. */
  startMs: number[]
  memory: MemoryAt[]
  growth: { callbacks: Row[]; devices: Row[] }
  micro: Micro[]
}

/** One contestant in one group; compared with the first of the group, round by round. */
export interface Row {
  group: string
  name: string
  perSecond: number[]
  p50: number[]
  p99: number[]
  failed: number
}

export function measuredRow(group: string, name: string, measured: readonly LoadResult[]): Row {
  return {
    group,
    name,
    perSecond: measured.map(({ perSecond }) => perSecond),
    p50: measured.map(({ p50 }) => p50),
    p99: measured.map(({ p99 }) => p99),
    failed: measured.reduce((sum, { failed }) => sum + failed, 0),
  }
}

export function write(report: Report, asJson: boolean): void {
  process.stdout.write(asJson ? `${JSON.stringify(report, null, 2)}\n` : `${markdown(report).join('\n')}\n`)
}

function markdown(report: Report): string[] {
  const bulk = (name: keyof BulkTimes) => spread(report.bulk.map(times => times[name]))
  return [
    `Machine: ${report.machine}. ${report.rounds} rounds of ${report.seconds} s each, in turn; distinct callbacks of 1.3 kB.`,
    '',
    ...table('acknowledged/s', report.acknowledged),
    '',
    ...table('acknowledged/s', report.paced),
    '',
    ...table('acknowledged/s', report.workers),
    '',
    ...table('acknowledged/s', report.kinds),
    '',
    ...table('answered/s', report.questions),
    '',
    ...table('acknowledged/s', report.growth.callbacks),
    '',
    ...table('answered/s', report.growth.devices),
    '',
    '| bulk activation of 10,000 | ms, median (min to max) |',
    '|---|---|',
    `| recorded | ${bulk('recordedMs')} |`,
    `| all callbacks acknowledged | ${bulk('acknowledgedMs')} |`,
    `| and visible | ${bulk('visibleMs')} |`,
    '',
    '| from the 200 of a callback to a reader | who waits, ms | of the stream, ms |',
    '|---|---|---|',
    ...[50, 99].map(percent => {
      const [waiting, streaming] = [report.feedMs, report.streamMs].map(lags => part(lags, percent).toFixed(1))
      return `| p${percent} of ${report.feedMs.length} | ${waiting} | ${streaming} |`
    }),
    '',
    `From its start until it is ready on a running database: ${spread(report.startMs)} ms.`,
    '',
    ...memoryTable(report.memory),
    '| one callback of 1.3 kB | microseconds |',
    '|---|---|',
    ...report.micro.map(({ name, microseconds }) => `| ${name} | ${microseconds.toFixed(1)} |`),
  ]
}

function table(what: string, rows: readonly Row[]): string[] {
  return [
    `| | | ${what}, median (min to max) | of the first | p50 ms | p99 ms | failed |`,
    '|---|---|---|---|---|---|---|',
    ...rows.map(row => {
      const first = rows.find(other => other.group === row.group) as Row
      const ratios = row.perSecond.map((value, at) => value / (first.perSecond[at] ?? Number.NaN))
      return `| ${row.group} | ${row.name} | ${spread(row.perSecond)} | ${spread(ratios, 3)} | ${middle(row.p50)} | ${middle(row.p99)} | ${row.failed} |`
    }),
  ]
}

function spread(values: readonly number[], digits = 0): string {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return `${middle(values).toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`
}

export function middle(values: readonly number[]): number {
  return part(values, 50)
}

function part(values: readonly number[], percent: number): number {
  const at = Math.min(values.length - 1, Math.floor((values.length * percent) / 100))
  return values.toSorted((one, other) => one - other)[at] ?? Number.NaN
}

export function machine(): string {
  const [cpu] = os.cpus()
  return `${os.availableParallelism()} × ${cpu?.model ?? 'processor'}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, Node ${process.version}`
}

function memoryTable(memory: readonly MemoryAt[]): string[] {
  if (memory.length === 0) return []
  const rows = memory.map(({ callbacks, bytes }) => `| ${callbacks} | ${Math.round(bytes / 2 ** 20)} |`)
  return ['| callbacks taken | MiB that the service occupies |', '|---|---|', ...rows, '']
}
