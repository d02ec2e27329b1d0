import { useState } from 'preact/hooks'
import { get, post } from './api.js'
import { moment } from './format.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { told } from './reprocess.js'
import { linkTo } from './route.js'
import { Badge, Facts, Show } from './state.js'

/** @param {{ callbackId: string }} props */
export function CallbackPage({ callbackId }) {
  const path = `/v1/callbacks/${encodeURIComponent(callbackId)}`
  const found = useLive(signal => get(path, signal), [path])
  return html`
    <h1 tabindex="-1">Callback</h1>
    <${Show} loaded=${found} missing="No callback of your accounts has this id.">
      ${(/** @type {import('./types.d.ts').Callback} */ it) => html`
        <section aria-label="What is known of it"><p class="headline"><${Badge} of=${it.verdict} /> ${it.result !== null && html`<${Badge} of=${it.result} />`} ${it.reason}</p>
        <${Facts} entries=${[
          ['Received', moment(it.receivedAt)],
          ['Seen', it.timesSeen > 1 ? `${it.timesSeen} times, last ${moment(it.lastSeenAt)}` : 'once'],
          ['Account', it.accountName],
          ['Service', it.serviceName],
          [
            'Request',
            it.requestId && html`<a class="id" href=${linkTo('activations', it.requestId)}>${it.requestId}</a>`,
          ],
          ['Fault', it.faultCode && `${it.faultCode}: ${it.faultMessage ?? ''}`],
          ['Callback id', html`<span class="id">${it.callbackId}</span>`],
          ...it.deviceIds.map(({ kind, id }) => [
            kind.toUpperCase(),
            html`<a class="id" href=${linkTo('devices', kind.toLowerCase(), id)}>${id}</a>`,
          ]),
        ]} />
        <${Again} path=${path} verdict=${it.verdict} /></section>
        <section aria-labelledby="message">
          <h2 id="message">The message</h2>
          ${
            it.body === null
              ? html`<p class="quiet">Its bytes are sealed: they could not be read, and may hold anything.</p>`
              : html`<p class="quiet">Secrets are sealed and not shown.</p><pre tabindex="0" aria-label="The message as JSON">${JSON.stringify(it.body, null, 2)}</pre>`
          }
        </section>`}
    <//>`
}

/** @param {{ path: string, verdict: string }} props */
function Again({ path, verdict }) {
  const [said, setSaid] = useState('')
  if (!['unmatched', 'other', 'quarantined'].includes(verdict)) return null
  const again = async () => {
    setSaid('Reading …')
    setSaid(await post(`${path}/reprocess`).then(told, error => error.message))
  }
  return html`<div class="reprocess"><button onClick=${again}>Read it again</button> <span role="status">${said}</span></div>`
}
