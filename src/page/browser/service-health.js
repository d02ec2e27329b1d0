import { ApiError, ask } from './api.js'
import { count } from './format.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { readMetrics, total } from './metrics.js'
import { Show } from './state.js'

/** What the metrics say about the service itself; hidden for a token that may not read them. */
export function ServiceHealth() {
  const health = useLive(load, ['health'])
  // Until it is known whether they may be read, nothing is shown.
  if (health.value === 'not allowed' || (health.value === null && health.error === null)) return null
  return html`
    <section aria-labelledby="health">
      <h2 id="health">This replica</h2>
      <${Show} loaded=${health}>${(/** @type {ReturnType<typeof readMetrics>} */ metrics) => html`<${Checks} metrics=${metrics} />`}<//>
    </section>`
}

/** @param {{ metrics: ReturnType<typeof readMetrics> }} props */
function Checks({ metrics }) {
  const queue = total(metrics, 'thingspace_callback_queue_depth') ?? 0
  const spool = total(metrics, 'thingspace_spool_depth')
  const drift = (metrics.get('thingspace_listener_drift') ?? []).filter(sample => sample.value > 0)
  const unreadable = total(metrics, 'thingspace_callers_age_seconds') ?? 0
  return html`
    <ul class="checks">
      <${Check} good=${queue < 100} text=${`${count(queue)} callbacks wait to be committed`} />
      ${spool !== null && html`<${Check} good=${spool === 0} text=${spool === 0 ? 'The spool is empty' : `${count(spool)} callbacks wait in the spool for the database`} />`}
      <${Check} good=${drift.length === 0} text=${drift.length === 0 ? 'Listeners: no difference from ThingSpace is known' : `Listeners differ from ThingSpace: ${drift.map(told).join(', ')}`} />
      <${Check} good=${unreadable < 10} text=${unreadable < 10 ? 'Tokens and listeners are read from the database' : 'Tokens and listeners could not be read from the database lately'} />
    </ul>`
}

/** @param {{ good: boolean, text: string }} props */
function Check({ good, text }) {
  return html`<li class=${good ? 'good' : 'bad'}><b>${good ? 'OK' : 'Look'}</b> ${text}</li>`
}

/** @param {{ labels: string, value: number }} sample */
function told({ labels, value }) {
  return `${count(value)} ${/kind="([^"]*)"/.exec(labels)?.[1] ?? ''}`.trim()
}

let allowed = true

/** @param {AbortSignal} signal @returns {Promise<ReturnType<typeof readMetrics> | 'not allowed'>} */
async function load(signal) {
  if (!allowed) return 'not allowed'
  try {
    return readMetrics(await (await ask('/metrics', { signal })).text())
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error
    // Asking repeatedly would be refused repeatedly.
    allowed = false
    return 'not allowed'
  }
}

/** Another token may be allowed what the last one was not. */
export function forgetRefusal() {
  allowed = true
}
