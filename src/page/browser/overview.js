import { ActivationTable } from './activation-table.js'
import { get, withQuery } from './api.js'
import { ago, count } from './format.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { loadOpen, perList } from './load-open.js'
import { ProfileMatrix } from './profile-matrix.js'
import { layers, RateChart } from './rate-chart.js'
import { ServiceHealth } from './service-health.js'
import { Show } from './state.js'

export function Overview() {
  const summary = useLive(signal => get('/v1/summary', signal), ['summary'])
  const open = useLive(loadOpen, ['open'])
  return html`
    <h1 tabindex="-1">Overview</h1>
    <${Show} loaded=${summary}>${(/** @type {import('./types.d.ts').Summary} */ it) => html`<${Figures} summary=${it} />`}<//>
    <section aria-labelledby="open">
      <h2 id="open">Open and overdue activations</h2>
      <${Show} loaded=${open}>
        ${(/** @type {Awaited<ReturnType<typeof loadOpen>>} */ { activations, cut }) => html`
          ${cut.length > 0 && html`<${Cut} lists=${cut} />`}
          ${
            activations.length === 0
              ? html`<p class="quiet">Nothing is open: every activation has all its answers. <a href="#/activations">See the latest.</a></p>`
              : html`<${ActivationTable} activations=${activations} caption="Open and overdue activations" />`
          }`}
      <//>
    </section>
    <div class="columns">
      <section aria-labelledby="rate">
        <h2 id="rate">Callbacks per minute</h2>
        <${Show} loaded=${summary}>
          ${(/** @type {import('./types.d.ts').Summary} */ it) => html`<${RateChart} minutes=${it.callbacks.perMinute} /><${Verdicts} verdicts=${it.callbacks.byVerdict} />`}
        <//>
      </section>
      <section aria-labelledby="profiles">
        <h2 id="profiles">Profiles by state and role</h2>
        <${Show} loaded=${summary}>
          ${(/** @type {import('./types.d.ts').Summary} */ it) => html`<${ProfileMatrix} profiles=${it.profiles} />`}
        <//>
      </section>
    </div>
    <${ServiceHealth} />`
}

/** @param {{ lists: Record<string, string>[] }} props */
function Cut({ lists }) {
  const links = lists.map(
    (list, at) =>
      html`${at > 0 && ', '}<a href=${`#${withQuery('/activations', list)}`}>${list.status ?? 'overdue'}</a>`,
  )
  return html`<p class="quiet">Only the newest ${perList} are listed of those that are ${links}.</p>`
}

/** @param {{ summary: import('./types.d.ts').Summary }} props */
function Figures({ summary: { activations, callbacks, oldestUnmatchedAt, oldestPendingAt } }) {
  const { unmatched = 0, quarantined = 0 } = callbacks.byVerdict
  const { pending = 0, partial = 0, unknown = 0, conflict = 0 } = activations
  const open = pending + partial + unknown + conflict
  const since = (/** @type {string | null} */ at) => (at === null ? 'none waits' : `oldest ${ago(at)}`)
  // Nobody is waiting for a callback of these, and yet somebody must look at them.
  const stuck = [conflict > 0 && `${count(conflict)} in conflict`, unknown > 0 && `${count(unknown)} unknown`]
  const openNote = [(oldestPendingAt !== null || open === 0) && since(oldestPendingAt), ...stuck].filter(Boolean)
  return html`
    <ul class="figures" aria-label="At a glance">
      <${Figure} name="open activations" value=${open} note=${openNote.join(', ')} href="#/activations" />
      <${Figure} name="overdue" value=${activations.overdue ?? 0} note="past their expected time" href="#/activations?overdue=true" alarm />
      <${Figure} name="unmatched callbacks" value=${unmatched} note=${since(oldestUnmatchedAt)} href="#/callbacks?verdict=unmatched" alarm />
      <${Figure} name="quarantined callbacks" value=${quarantined} note="not readable" href="#/callbacks?verdict=quarantined" alarm />
    </ul>`
}

/** @param {{ name: string, value: number, note: string, href: string, alarm?: boolean }} props */
function Figure({ name, value, note, href, alarm = false }) {
  return html`
    <li class=${alarm && value > 0 ? 'alarm' : ''}>
      <a href=${href}><strong>${count(value)}</strong> <span>${name}</span> <small>${note}</small></a>
    </li>`
}

/** @param {string} verdict */
function colourOf(verdict) {
  return layers.find(({ verdicts }) => verdicts.includes(verdict))?.colour ?? '--idle'
}

/** @param {{ verdicts: Record<string, number> }} props */
function Verdicts({ verdicts }) {
  return html`
    <ul class="verdicts" aria-label="All callbacks by verdict">
      ${Object.entries(verdicts).map(
        ([verdict, number]) =>
          html`<li key=${verdict} style=${`--mark: var(${colourOf(verdict)})`}><a href=${`#/callbacks?verdict=${verdict}`}><b>${count(number)}</b> ${verdict}</a></li>`,
      )}
    </ul>`
}
