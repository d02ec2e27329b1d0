import { useEffect } from 'preact/hooks'
import { ApiError, get, post } from './api.js'
import { html } from './html.js'
import { identifierKinds } from './identifier-kinds.js'
import { useLive } from './live.js'
import { linkTo } from './route.js'
import { Show } from './state.js'

/**
 * Goes to what an identifier names, or says that it names nothing, or that this could not be found out.
 * @param {{ text: string }} props
 */
export function FindPage({ text }) {
  const found = useLive(signal => find(text, signal), [text])
  const { value, error } = found
  const place = value?.place
  useEffect(() => {
    if (typeof place === 'string') location.replace(place)
  }, [place])
  const heading = place === null ? 'Not found' : error === null ? 'Looking' : 'Not looked up'
  return html`
    <h1 tabindex="-1">${heading}</h1>
    <p><code>${text}</code></p>
    <div role="status"><${Show} loaded=${found}>${() => html`<p>${place === null ? nothing : 'Looking …'}</p>`}<//></div>`
}

const nothing =
  'No device, activation or callback of your accounts has this identifier. The page opens it once a callback names it.'

/**
 * @param {string} text
 * @param {AbortSignal} signal
 * @returns {Promise<{ place: string | null }>} where to go; null where nothing has this name
 */
async function find(text, signal) {
  return { place: (await findDevice(text, signal)) ?? (await findRequest(text, signal)) }
}

/** @param {string} text @param {AbortSignal} signal @returns {Promise<string | null>} */
async function findDevice(text, signal) {
  const ids = identifierKinds(text)
  if (ids.length === 0) return null
  const { items, missing } = await post('/v1/profiles/lookup', { ids }, signal)
  /** @type {string[]} */
  const unknown = missing.map((/** @type {{ kind: string }} */ one) => one.kind)
  const known = ids.find(({ kind }) => !unknown.includes(kind))
  return items.length > 0 && known !== undefined ? linkTo('devices', known.kind, known.id) : null
}

/** @param {string} text @param {AbortSignal} signal @returns {Promise<string | null>} */
async function findRequest(text, signal) {
  if (/^[A-Za-z0-9-]{3,64}$/.test(text) && (await exists(`/v1/activations/${text}`, signal)))
    return linkTo('activations', text)
  if (/^[0-9a-f-]{36}$/i.test(text) && (await exists(`/v1/callbacks/${text}`, signal))) return linkTo('callbacks', text)
  if (text.length > 128) return null
  const { items } = await get(`/v1/callbacks?limit=1&requestId=${encodeURIComponent(text)}`, signal)
  return items.length > 0 ? `#/callbacks?requestId=${encodeURIComponent(text)}` : null
}

/** @param {string} path @param {AbortSignal} signal */
async function exists(path, signal) {
  try {
    await get(path, signal)
    return true
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return false
    throw error
  }
}
