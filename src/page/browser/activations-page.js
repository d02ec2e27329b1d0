import { ActivationTable } from './activation-table.js'
import { get, withQuery } from './api.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { Pager } from './pager.js'
import { Show } from './state.js'

const choices = ['', 'pending', 'partial', 'succeeded', 'failed', 'mixed', 'conflict', 'unknown']

/** @param {{ query: URLSearchParams }} props */
export function ActivationsPage({ query }) {
  const status = query.get('status')
  const overdue = query.get('overdue')
  const cursor = query.get('cursor')
  const list = useLive(
    signal => get(withQuery('/v1/activations', { limit: 50, status, overdue, cursor }), signal),
    [status, overdue, cursor],
  )
  const go = (/** @type {{ currentTarget: HTMLSelectElement }} */ { currentTarget: { value } }) => {
    location.hash = withQuery('/activations', value === 'overdue' ? { overdue: 'true' } : { status: value })
  }
  return html`
    <h1 tabindex="-1">Activations</h1>
    <p><label>Show <select value=${overdue === 'true' ? 'overdue' : (status ?? '')} onChange=${go}>
      ${choices.map(one => html`<option value=${one}>${one === '' ? 'all' : one}</option>`)}
      <option value="overdue">overdue</option></select></label></p>
    <${Show} loaded=${list}>
      ${(/** @type {import('./types.d.ts').Page<import('./types.d.ts').Activation>} */ page) => html`
        ${
          page.items.length === 0
            ? html`<p class="quiet">There are none of these.</p>`
            : html`<${ActivationTable} activations=${page.items} caption="Activations" />`
        }
        <${Pager} page=${page} path="/activations" query=${{ status, overdue }} />`}
    <//>`
}
