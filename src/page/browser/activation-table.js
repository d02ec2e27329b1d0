import { ago, count, moment, span } from './format.js'
import { html } from './html.js'
import { ProgressBar } from './progress-bar.js'
import { linkTo } from './route.js'
import { Badge } from './state.js'

/** @param {{ activations: import('./types.d.ts').Activation[], caption: string }} props */
export function ActivationTable({ activations, caption }) {
  return html`
    <div class="scroll" role="region" aria-label=${`${caption}, table`} tabindex="0">
      <table class="stack">
        <thead><tr><th>Activation</th><th>Status</th><th>Progress</th><th class="number">Answered</th>
          <th class="number">To callback</th><th>Submitted</th></tr></thead>
        <tbody>${activations.map(one => html`<${Row} key=${one.accountName + one.requestId} of=${one} />`)}</tbody>
      </table>
    </div>`
}

/** @param {{ of: import('./types.d.ts').Activation }} props */
function Row({ of: { requestId, operation, status, overdue, counts, timeToCallbackMs, submittedAt, accountName } }) {
  const answered = counts.succeeded + counts.failed + counts.conflict
  return html`
    <tr>
      <th scope="row"><a class="id" href=${linkTo('activations', requestId)}>${requestId}</a>
        <small>${operation} · ${accountName}</small></th>
      <td><${Badge} of=${status} /> ${overdue && html`<${Badge} of="overdue" />`}</td>
      <td class="wide"><${ProgressBar} counts=${counts} label=${`Progress of ${requestId}`} /></td>
      <td class="number" data-name="Answered">${count(answered)} / ${count(counts.targets)}</td>
      <td class="number" data-name="To callback" title="half of the targets had their first callback within this time">
        ${span(timeToCallbackMs.p50)}</td>
      <td class="moment" data-name="Submitted"><time datetime=${submittedAt} title=${moment(submittedAt)}>${ago(submittedAt)}</time></td>
    </tr>`
}
