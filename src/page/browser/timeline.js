import { moment, word } from './format.js'
import { html } from './html.js'
import { linkTo } from './route.js'

/** @param {{ changes: import('./types.d.ts').Change[], several: boolean }} props newest first */
export function Timeline({ changes, several }) {
  return html`
    <section aria-labelledby="timeline">
      <h2 id="timeline">What happened</h2>
      ${changes.length === 0 && html`<p class="quiet">Nothing has changed yet.</p>`}
      <ol class="timeline">${changes.map(change => html`<${Step} key=${change.cursor} change=${change} several=${several} />`)}</ol>
    </section>`
}

/** For a change without details: the feed only shows state, status, role and plan. */
const unnamed = 'Something else changed: its last result, fault, identifiers, address update or credential.'

/** @param {{ change: import('./types.d.ts').Change, several: boolean }} props */
function Step({ change: { at, iccid, from, to, cause, requestId }, several }) {
  const steps = Object.entries(to)
  return html`
    <li>
      <time datetime=${at}>${moment(at)}</time>
      ${several && html` <span class="id">${iccid}</span>`}
      ${steps.length === 0 && html`<p>${unnamed}</p>`}
      <ul>${steps.map(
        ([name, value]) => html`
          <li><span class="quiet">${name}</span> ${from !== null && html`<del>${word(from[name])}</del> → `}<ins>${word(value)}</ins></li>`,
      )}</ul>
      <p>
        ${cause.callbackId === null ? `by ${cause.source}` : html`<a href=${linkTo('callbacks', cause.callbackId)}>The callback behind it</a>`}
        ${requestId !== null && html` · <a href=${linkTo('activations', requestId)}>activation</a>`}
      </p>
    </li>`
}
