import type { LedgerEntry } from '../simulator/ledger.ts'
import type { Api } from './demo-api.ts'
import type { Bulk } from './demo-bulk.ts'
import { iccidOf } from './demo-ledger.ts'
import { activationPath } from './demo-story.ts'

export interface BulkComparison {
  /** What happened, and to how many; the header row first. */
  table: string[][]
  /** What the carrier sent and the API does not show, as sentences. */
  missing: string[]
}

interface Target {
  iccid: string
  result: string
  source: string | null
}

interface Stored {
  result: string | null
  timesSeen: number
  deviceIds: { kind: string; id: string }[]
}

const resultOf: Record<string, string> = { success: 'succeeded', fault: 'failed', warning: 'warning' }

/** Compares the carrier's own list of a bulk activation with all targets and callbacks of the API. */
export async function compareBulk(
  api: Api,
  ledger: readonly LedgerEntry[],
  { step, requestId, activation }: Bulk,
): Promise<BulkComparison> {
  const path = activationPath(requestId)
  const targets = new Map((await all<Target>(api, `${path}/targets`)).map(target => [target.iccid, target]))
  const stored = Map.groupBy(await all<Stored>(api, `${path}/callbacks`), ({ result, deviceIds }) =>
    keyOf(deviceIds.find(({ kind }) => kind === 'iccid')?.id ?? '', result ?? ''),
  )
  const sent = ledger.filter(entry => entry.requestId === requestId)
  const missing = [
    ...step.profiles.flatMap(({ iccid }) => (targets.has(iccid) ? [] : [`${iccid}: no such target`])),
    ...[...targets.values()].flatMap(({ iccid, result }) =>
      result === 'succeeded' || result === 'failed' ? [] : [`${iccid}: is still ${result}`],
    ),
    ...sent.flatMap(entry => compareMessage(entry, stored, targets.get(iccidOf(entry)))),
  ]
  const marked = (mark: string) => sent.filter(({ marks }) => marks.includes(mark)).length
  const kept = [...stored.values()].flat()
  const seen = kept.reduce((sum, { timesSeen }) => sum + timesSeen, 0)
  const bySource = (source: string) => [...targets.values()].filter(target => target.source === source).length
  const table = [
    ['the carrier', 'messages', '|', 'the API', 'profiles'],
    ['sent', `${sent.length - marked('never')}`, '|', 'asked for', `${activation.counts.targets}`],
    ['of these twice at once', `${marked('twice')}`, '|', 'succeeded', `${activation.counts.succeeded}`],
    ['a warning first', `${marked('warning')}`, '|', 'failed', `${activation.counts.failed}`],
    ['a fault', `${sent.filter(({ says }) => says === 'fault').length}`, '|', 'by callback', `${bySource('callback')}`],
    ['late', `${marked('late')}`, '|', 'healed by a poll', `${bySource('poll')}`],
    ['never sent', `${marked('never')}`, '|', 'callbacks kept', `${kept.length}`],
    ['', '', '|', 'deliveries counted', `${seen}`],
  ]
  return { table, missing }
}

/** An accepted message must be stored once and counted as often as it was accepted, and its target must agree. */
function compareMessage(
  entry: LedgerEntry,
  stored: ReadonlyMap<string, readonly Stored[]>,
  target: Target | undefined,
): string[] {
  const { says, marks, attempts, outcome } = entry
  if (outcome === 'withheld') return []
  const iccid = iccidOf(entry)
  const what = `${iccid}: the ${says} callback`
  const accepted = attempts.filter(attempt => attempt.outcome === 'ok').length
  if (accepted === 0) return [`${what} was not accepted (${outcome})`]
  const [callback, another] = stored.get(keyOf(iccid, resultOf[says] ?? '')) ?? []
  if (callback === undefined) return [`${what} was accepted, and is not among the stored ones`]
  if (another !== undefined) return [`${what} was stored more than once`]
  if (callback.timesSeen < accepted) return [`${what} came ${accepted} times, and was counted ${callback.timesSeen}`]
  if (says === 'warning' || marks.includes('contradict')) return []
  return target?.result === resultOf[says] ? [] : [`${iccid}: is ${target?.result}, the carrier sent ${says}`]
}

function keyOf(iccid: string, result: string): string {
  return `${iccid} ${result}`
}

async function all<Item>(api: Api, path: string): Promise<Item[]> {
  const items: Item[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const after: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await api.get<{ items: Item[]; next: string | null }>(`${path}?limit=1000${after}`)
    items.push(...(body?.items ?? []))
    cursor = body?.next ?? null
  }
  return items
}
