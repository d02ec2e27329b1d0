import { count } from './format.js'
import { html } from './html.js'

const parts = /** @type {const} */ (['succeeded', 'failed', 'conflict', 'warning', 'pending'])

/** @param {{ counts: import('./types.d.ts').Counts, label: string }} props */
export function ProgressBar({ counts, label }) {
  const done = counts.succeeded + counts.failed + counts.conflict
  const told = parts.filter(part => counts[part] > 0).map(part => `${count(counts[part])} ${part}`)
  return html`
    <div class="progress" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax=${counts.targets}
      aria-valuenow=${done} aria-valuetext=${told.join(', ')} title=${told.join(', ')}>
      ${parts.map(part => html`<span key=${part} class=${part} style=${{ flexGrow: counts[part] }}></span>`)}
    </div>`
}
