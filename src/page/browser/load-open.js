import { get } from './api.js'

const perKind = 50

/**
 * Activations that somebody waits for: overdue ones first, then the newest.
 * @param {AbortSignal} signal
 * @returns {Promise<import('./types.d.ts').Activation[]>}
 */
export async function loadOpen(signal) {
  const kinds = ['overdue=true', 'status=partial', 'status=pending', 'status=unknown']
  const pages = await Promise.all(kinds.map(kind => get(`/v1/activations?${kind}&limit=${perKind}`, signal)))
  /** @type {import('./types.d.ts').Activation[]} */
  const found = pages.flatMap(page => page.items)
  const once = [...new Map(found.map(one => [`${one.accountName} ${one.requestId}`, one])).values()]
  return once.sort(
    (one, other) => Number(other.overdue) - Number(one.overdue) || (one.submittedAt < other.submittedAt ? 1 : -1),
  )
}
