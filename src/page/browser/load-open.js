import { get, withQuery } from './api.js'

export const perList = 50

/** What the lists of activations are asked for that somebody waits for, or must look at. @type {Record<string, string>[]} */
const lists = [
  { overdue: 'true' },
  { status: 'conflict' },
  { status: 'unknown' },
  { status: 'partial' },
  { status: 'pending' },
]

/**
 * Activations that are not settled: overdue ones first, then the newest. `cut` are the lists that have more than was read
 * of each: these are its newest, for there is no other order to ask for.
 * @param {AbortSignal} signal
 * @returns {Promise<{ activations: import('./types.d.ts').Activation[], cut: Record<string, string>[] }>}
 */
export async function loadOpen(signal) {
  /** @type {import('./types.d.ts').Page<import('./types.d.ts').Activation>[]} */
  const pages = await Promise.all(
    lists.map(list => get(withQuery('/v1/activations', { ...list, limit: perList }), signal)),
  )
  const found = pages.flatMap(page => page.items)
  const once = [...new Map(found.map(one => [`${one.accountName} ${one.requestId}`, one])).values()]
  return { activations: once.sort(byUrgency), cut: lists.filter((_, at) => pages[at]?.next !== null) }
}

/** @param {import('./types.d.ts').Activation} one @param {import('./types.d.ts').Activation} other */
function byUrgency(one, other) {
  return Number(other.overdue) - Number(one.overdue) || Date.parse(other.submittedAt) - Date.parse(one.submittedAt)
}
