import { useEffect, useState } from 'preact/hooks'
import { ApiError, get, post } from './api.js'
import { html } from './html.js'
import { identifierKinds } from './identifier-kinds.js'
import { linkTo } from './route.js'

/**
 * Goes to what an identifier names, or says that nothing does.
 * @param {{ text: string }} props
 */
export function FindPage({ text }) {
  const [problem, setProblem] = useState(/** @type {string | null} */ (null))
  useEffect(() => {
    let current = true
    find(text).then(
      found => {
        if (!current) return
        if (found === null) setProblem('No device, activation or callback of your accounts has this identifier.')
        else location.replace(found)
      },
      error => current && setProblem(error.message),
    )
    return () => {
      current = false
    }
  }, [text])
  return html`
    <h1 tabindex="-1">${problem === null ? 'Looking' : 'Not found'}</h1>
    <p><code>${text}</code></p>
    <p role="status">${problem ?? 'Looking …'}</p>`
}

/**
 * @param {string} text
 * @returns {Promise<string | null>} where to go
 */
async function find(text) {
  const ids = identifierKinds(text)
  if (ids.length > 0) {
    const { items, missing } = await post('/v1/profiles/lookup', { ids })
    /** @type {string[]} */
    const unknown = missing.map((/** @type {{ kind: string }} */ one) => one.kind)
    const known = ids.find(({ kind }) => !unknown.includes(kind))
    if (items.length > 0 && known !== undefined) return linkTo('devices', known.kind, known.id)
  }
  if (/^[A-Za-z0-9-]{3,64}$/.test(text) && (await exists(`/v1/activations/${text}`))) return linkTo('activations', text)
  if (/^[0-9a-f-]{36}$/i.test(text) && (await exists(`/v1/callbacks/${text}`))) return linkTo('callbacks', text)
  if (text.length <= 128) {
    const { items } = await get(`/v1/callbacks?limit=1&requestId=${encodeURIComponent(text)}`)
    if (items.length > 0) return `#/callbacks?requestId=${encodeURIComponent(text)}`
  }
  return null
}

/** @param {string} path */
async function exists(path) {
  try {
    await get(path)
    return true
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return false
    throw error
  }
}
