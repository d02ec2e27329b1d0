import { getAll } from './api.js'
import { count, word } from './format.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { Show } from './state.js'

/**
 * Faults by code, the most frequent first.
 * @param {{ path: string, counts: import('./types.d.ts').Counts }} props
 */
export function FaultGroups({ path, counts }) {
  // All failed targets are read for this, and read again only when there are more.
  const groups = useLive(once(`${path} ${counts.failed} ${counts.conflict}`, path), [path])
  return html`
    <section aria-labelledby="faults">
      <h2 id="faults">Faults by code</h2>
      <${Show} loaded=${groups}>
        ${(/** @type {Group[]} */ found) => html`
          <div class="scroll" role="region" aria-label="Faults by code, table" tabindex="0"><table class="stack">
            <thead><tr><th class="number">Targets</th><th>Code</th><th>Message</th></tr></thead>
            <tbody>${found.map(
              ({ code, message, targets }) => html`
                <tr key=${code}><td class="number"><b>${count(targets)}</b></td><th scope="row" class="code">${code}</th><td>${message}</td></tr>`,
            )}</tbody>
          </table></div>`}
      <//>
    </section>`
}

/** @typedef {{ code: string, message: string, targets: number }} Group */

/** @type {{ key: string, groups: Group[] } | null} */
let last = null

/** @param {string} key @param {string} path */
function once(key, path) {
  return async (/** @type {AbortSignal} */ signal) => {
    if (last?.key !== key) last = { key, groups: group(await loadFaulty(path, signal)) }
    return last.groups
  }
}

/** @param {string} path @param {AbortSignal} signal @returns {Promise<import('./types.d.ts').Target[]>} */
async function loadFaulty(path, signal) {
  const lists = await Promise.all(
    ['failed', 'conflict'].map(result => getAll(`${path}/targets?result=${result}`, signal)),
  )
  return lists.flat()
}

/** @param {import('./types.d.ts').Target[]} targets @returns {Group[]} */
function group(targets) {
  return [...Map.groupBy(targets, target => target.faultCode ?? 'without a code')]
    .map(([code, of]) => ({ code, message: word(of[0]?.faultMessage), targets: of.length }))
    .sort((one, other) => other.targets - one.targets)
}
