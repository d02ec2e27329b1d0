import { useState } from 'preact/hooks'
import { get } from './api.js'
import { count, moment, word } from './format.js'
import { html } from './html.js'
import { useLive } from './live.js'
import { linkTo } from './route.js'
import { Badge, Facts, Show } from './state.js'
import { Timeline } from './timeline.js'

const usualLimit = 100
/** As many as one answer may contain. */
const longestLimit = 1000

/** @param {{ kind: string, id: string }} props */
export function DevicePage({ kind, id }) {
  const [limit, setLimit] = useState(usualLimit)
  const found = useLive(signal => load(kind, id, limit, signal), [kind, id, limit])
  return html`
    <h1 tabindex="-1">Device <span class="id">${id}</span></h1>
    <${Show} loaded=${found} missing="No profile of your accounts has this identifier. A device shows here once a callback has named it.">
      ${(/** @type {Awaited<ReturnType<typeof load>>} */ { device, history, isCut }) => html`
        <${Facts} entries=${[['EID', device.eid], ['IMEI', device.imei], ['Profiles', String(device.profiles.length)]]} />
        <div class="columns">${device.profiles.map(profile => html`<${ProfileCard} key=${profile.iccid} profile=${profile} />`)}</div>
        <${Timeline} changes=${history} several=${device.profiles.length > 1} />
        ${isCut && html`<${Cut} limit=${limit} onMore=${limit < longestLimit ? () => setLimit(longestLimit) : null} />`}`}
    <//>`
}

/**
 * @param {string} kind
 * @param {string} id
 * @param {number} limit of the changes of each profile
 * @param {AbortSignal} signal
 * @returns {Promise<{ device: import('./types.d.ts').Device, history: import('./types.d.ts').Change[], isCut: boolean }>}
 */
async function load(kind, id, limit, signal) {
  const device = await get(`/v1/devices/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`, signal)
  /** @type {import('./types.d.ts').Profile[]} */
  const profiles = device.profiles
  /** @type {import('./types.d.ts').Page<import('./types.d.ts').Change>[]} */
  const histories = await Promise.all(
    profiles.map(({ iccid }) => get(`/v1/profiles/${encodeURIComponent(iccid)}/history?limit=${limit}`, signal)),
  )
  // Each is newest first already, also where one transaction made several changes at the same time: that order is kept.
  const history = histories
    .flatMap(({ items }) => items)
    .sort((one, other) => Date.parse(other.at) - Date.parse(one.at))
  return { device, history, isCut: histories.some(({ next }) => next !== null) }
}

/** @param {{ limit: number, onMore: (() => void) | null }} props */
function Cut({ limit, onMore }) {
  return html`
    <p class="actions">Older changes than the newest ${count(limit)} of a profile are not shown.
      ${
        onMore === null
          ? html`<span class="quiet">The API has them: <code>/v1/profiles/{iccid}/history</code></span>`
          : html`<button onClick=${onMore}>Show up to ${count(longestLimit)}</button>`
      }</p>`
}

/** @param {{ profile: import('./types.d.ts').Profile }} props */
function ProfileCard({ profile: { iccid, lastResult: last, addressUpdate: address, ...it } }) {
  return html`
    <section class="card" aria-label=${`Profile ${iccid}`}>
      <h2><span class="id">${iccid}</span></h2>
      <p class="headline"><strong>${word(it.state)}</strong> ${word(it.profileStatus)} · ${word(it.profileRole)}</p>
      <${Facts} entries=${[
        [
          'Last result',
          html`<${Badge} of=${last.result} /> <a class="id" href=${linkTo('activations', last.requestId)}>${last.operation}</a>`,
        ],
        ['Fault', last.faultCode && `${last.faultCode}: ${word(last.faultMessage)}`],
        ['Service plan', it.servicePlan],
        ['MDN', it.mdn],
        ['MSISDN', it.msisdn],
        ['IMEI', it.imei],
        ['Account', it.accountName],
        ['Address update', address && [address.status, address.code, address.description].filter(Boolean).join(' · ')],
        ['Credential', it.hasCredential ? 'sealed' : null],
        ['Doubts', it.flags.join(', ')],
        ['Changed', moment(it.changedAt)],
        ['Confirmed', moment(it.confirmedAt)],
      ]} />
    </section>`
}
