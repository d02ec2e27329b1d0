import { get, withQuery } from './api.js'
import { moment, word } from './format.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { Pager } from './pager.js'
import { Reprocess } from './reprocess.js'
import { linkTo } from './route.js'
import { Badge, Show } from './state.js'

const verdicts = ['', 'applied', 'unchanged', 'unmatched', 'other', 'quarantined']
/** Those that another reading may make sense of. */
const rereadable = ['unmatched', 'other', 'quarantined']

/** @param {{ query: URLSearchParams }} props */
export function CallbacksPage({ query }) {
  const verdict = query.get('verdict')
  const requestId = query.get('requestId')
  const cursor = query.get('cursor')
  const list = useLive(
    signal => get(withQuery('/v1/callbacks', { limit: 50, verdict, requestId, cursor }), signal),
    [verdict, requestId, cursor],
  )
  const go = (/** @type {{ currentTarget: HTMLSelectElement }} */ { currentTarget: { value } }) => {
    location.hash = withQuery('/callbacks', { verdict: value, requestId })
  }
  return html`
    <h1 tabindex="-1">${verdict === null ? 'Callbacks' : `Callbacks: ${verdict}`}</h1>
    ${requestId !== null && html`<p>Of request <a class="id" href=${linkTo('activations', requestId)}>${requestId}</a></p>`}
    <p><label>Verdict <select value=${verdict ?? ''} onChange=${go}>
      ${verdicts.map(one => html`<option value=${one}>${one === '' ? 'all' : one}</option>`)}</select></label></p>
    ${verdict !== null && rereadable.includes(verdict) && html`<${Reprocess} filter=${requestId === null ? { verdict } : { verdict, requestId }} />`}
    <${Show} loaded=${list}>
      ${(/** @type {import('./types.d.ts').Page<import('./types.d.ts').Callback>} */ page) => html`
        ${page.items.length === 0 ? html`<p class="quiet">There are none of these.</p>` : html`<${Callbacks} items=${page.items} />`}
        <${Pager} page=${page} path="/callbacks" query=${{ verdict, requestId }} />`}
    <//>`
}

/** @param {{ items: import('./types.d.ts').Callback[] }} props */
function Callbacks({ items }) {
  return html`
    <div class="scroll" role="region" aria-label="Callbacks" tabindex="0"><table class="stack">
      <thead><tr><th>Received</th><th>Verdict</th><th>Result</th><th>Request</th><th>Device</th></tr></thead>
      <tbody>${items.map(
        one => html`
          <tr key=${one.callbackId}>
            <th scope="row"><a href=${linkTo('callbacks', one.callbackId)}>${moment(one.receivedAt)}</a>
              <small>${one.serviceName}${one.timesSeen > 1 ? ` · seen ${one.timesSeen} times` : ''}</small></th>
            <td><${Badge} of=${one.verdict} /> <small>${one.reason}</small></td>
            <td class=${one.result === null ? 'none' : ''} data-name="Result">${one.result === null ? '–' : html`<${Badge} of=${one.result} />`}</td>
            <td class=${one.requestId === null ? 'none' : 'id'} data-name="Request">${word(one.requestId)}</td>
            <td class=${one.deviceIds.length === 0 ? 'none' : 'id'} data-name="Device">${word(one.deviceIds[0]?.id)}</td>
          </tr>`,
      )}</tbody>
    </table></div>`
}
