import { useState } from 'preact/hooks'
import { get, withQuery } from './api.js'
import { count, moment, word } from './format.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { linkTo } from './route.js'
import { Badge, Show } from './state.js'

const results = /** @type {const} */ (['pending', 'warning', 'failed', 'conflict', 'succeeded'])

/** @param {{ path: string, counts: import('./types.d.ts').Counts }} props */
export function TargetList({ path, counts }) {
  const [result, setResult] = useState(() => results.find(one => counts[one] > 0) ?? '')
  const [cursor, setCursor] = useState(/** @type {string | null} */ (null))
  const list = useLive(
    signal => get(withQuery(`${path}/targets`, { result, cursor, limit: 50 }), signal),
    [path, result, cursor],
  )
  const choose = (/** @type {string} */ one) => {
    setResult(one)
    setCursor(null)
  }
  return html`
    <section aria-labelledby="targets">
      <h2 id="targets">Targets</h2>
      <div class="choices" role="group" aria-label="Which targets">
        ${results.map(
          one => html`<button key=${one} aria-pressed=${result === one} onClick=${() => choose(one)}>
            ${one === 'pending' ? 'stragglers' : one} (${count(counts[one])})</button>`,
        )}
        <button aria-pressed=${result === ''} onClick=${() => choose('')}>all (${count(counts.targets)})</button>
      </div>
      <${Show} loaded=${list}>
        ${(/** @type {import('./types.d.ts').Page<import('./types.d.ts').Target>} */ page) => html`
          ${page.items.length === 0 ? html`<p class="quiet">No target is ${result}.</p>` : html`<${Targets} items=${page.items} />`}
          <p class="pager">
            ${page.prev !== null && html`<button onClick=${() => setCursor(page.prev)}>Back</button>`}
            ${page.next !== null && html`<button onClick=${() => setCursor(page.next)}>More</button>`}
          </p>`}
      <//>
    </section>`
}

/** @param {{ items: import('./types.d.ts').Target[] }} props */
function Targets({ items }) {
  return html`
    <div class="scroll" role="region" aria-label="Targets, table" tabindex="0"><table class="stack">
      <thead><tr><th>Device</th><th>Result</th><th>Fault</th><th>Settled</th><th class="number">Callbacks</th></tr></thead>
      <tbody>${items.map((target, at) => html`<${Row} key=${`${target.eid} ${target.iccid} ${target.imei} ${at}`} of=${target} />`)}</tbody>
    </table></div>`
}

/** @param {{ of: import('./types.d.ts').Target }} props */
function Row({ of: { iccid, eid, imei, requested, result, overdue, faultCode, faultMessage, source, ...it } }) {
  const [kind, id] = iccid !== null ? ['iccid', iccid] : eid !== null ? ['eid', eid] : ['imei', imei ?? '']
  return html`
    <tr>
      <th scope="row"><a class="id" href=${linkTo('devices', kind, id)}>${id}</a> <small>${kind.toUpperCase()}</small></th>
      <td><${Badge} of=${result} /> ${overdue && html`<${Badge} of="overdue" />`} ${!requested && html`<${Badge} of="unrequested" text="not asked for" />`} ${source !== null && source !== 'callback' && html`<small>by ${source}</small>`}</td>
      <td class=${faultCode === null ? 'code none' : 'code'} data-name="Fault" title=${faultMessage}>${word(faultCode)}</td>
      <td class=${it.settledAt === null ? 'none' : ''} data-name="Settled">${moment(it.settledAt)}</td>
      <td class="number" data-name="Callbacks">${count(it.callbacks)}</td>
    </tr>`
}
