import { get } from './api.js'
import { DownloadCsv } from './download-csv.js'
import { FaultGroups } from './fault-groups.js'
import { ago, count, moment, span } from './format.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { ProgressBar } from './progress-bar.js'
import { Badge, Facts, Show } from './state.js'
import { TargetList } from './target-list.js'

/** @param {{ requestId: string }} props */
export function ActivationPage({ requestId }) {
  const path = `/v1/activations/${encodeURIComponent(requestId)}`
  const found = useLive(signal => get(path, signal), [path])
  return html`
    <h1 tabindex="-1">Activation <span class="id">${requestId}</span></h1>
    <${Show} loaded=${found} missing="No activation of your accounts has this request id.">
      ${(/** @type {import('./types.d.ts').Activation} */ it) => html`
        <${Progress} of=${it} />
        ${it.counts.failed + it.counts.conflict > 0 && html`<${FaultGroups} path=${path} counts=${it.counts} />`}
        <${TargetList} path=${path} counts=${it.counts} />
        <p class="actions"><${DownloadCsv} path=${path} requestId=${requestId} />
          <a class="button" href=${`#/callbacks?requestId=${encodeURIComponent(requestId)}`}>Its callbacks</a></p>`}
    <//>`
}

/** @param {{ of: import('./types.d.ts').Activation }} props */
function Progress({ of: { requestId, counts, status, overdue, timeToCallbackMs: took, ...it } }) {
  const answered = counts.succeeded + counts.failed + counts.conflict
  return html`
    <section class="progress-of" aria-label="Progress">
      <p class="headline"><strong>${count(answered)} of ${count(counts.targets)}</strong> answered${' '}
        <${Badge} of=${status} /> ${overdue && html`<${Badge} of="overdue" />`}</p>
      <${ProgressBar} counts=${counts} label=${`Progress of ${requestId}`} />
      <ul class="legend" aria-label="Targets by result">
        ${(['succeeded', 'failed', 'conflict', 'warning', 'pending']).map(
          result => html`<li class=${result}><b>${count(counts[/** @type {'failed'} */ (result)])}</b> ${result}</li>`,
        )}
      </ul>
      <${Facts} entries=${[
        ['Operation', it.operation],
        ['Account', it.accountName],
        ['Service plan', it.servicePlan],
        ['Submitted', `${moment(it.submittedAt)}, ${ago(it.submittedAt)}`],
        ['Expected by', it.settledAt === null ? moment(it.expectedBy) : null],
        ['Settled', it.settledAt && moment(it.settledAt)],
        [
          'Time to callback',
          took.p50 === null
            ? null
            : `half within ${span(took.p50)}, 95 % within ${span(took.p95)}, longest ${span(took.max)}`,
        ],
      ]} />
    </section>`
}
