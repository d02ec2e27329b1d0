/** The token is kept in this tab's session storage at most: it disappears with the tab. */
const place = 'token'

/**
 * An answer other than the expected one; status 0 when there was none. It may say how long to wait before asking again.
 */
export class ApiError extends Error {
  /** @param {number} status @param {string} message @param {number} [retryAfterMs] */
  constructor(status, message, retryAfterMs = 0) {
    super(message)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** @returns {string | null} */
export function savedToken() {
  return sessionStorage.getItem(place)
}

/** @param {string | null} token */
export function saveToken(token) {
  if (token === null) sessionStorage.removeItem(place)
  else sessionStorage.setItem(place, token)
}

let whenRefused = () => {}

/** @param {() => void} listener called when the token is not, or no longer, known */
export function onRefused(listener) {
  whenRefused = listener
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>} with a status below 300
 */
export async function ask(path, options = {}) {
  const token = savedToken()
  const headers = new Headers(options.headers)
  if (token !== null) headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(path, { ...options, headers }).catch(error => {
    if (error.name === 'AbortError') throw error
    throw new ApiError(0, 'The service does not answer.')
  })
  if (response.ok) return response
  // A token that has been replaced meanwhile is not the one that was refused.
  if (response.status === 401 && token === savedToken()) whenRefused()
  const said = await response.json().catch(() => ({}))
  const message = said.errorMessage ?? `The service answered ${response.status}.`
  throw new ApiError(response.status, message, Number(response.headers.get('retry-after')) * 1000 || 0)
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function get(path, signal) {
  return (await ask(path, signal === undefined ? {} : { signal })).json()
}

/**
 * @param {string} path
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function post(path, body, signal) {
  const sent = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  return (await ask(path, { method: 'POST', ...sent, ...(signal === undefined ? {} : { signal }) })).json()
}

/**
 * All items of a list, page by page.
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<any[]>}
 */
export async function getAll(path, signal) {
  const items = []
  for (let cursor = null; ; ) {
    const page = await get(withQuery(path, { limit: 1000, cursor }), signal)
    items.push(...page.items)
    if (page.next === null) return items
    cursor = page.next
  }
}

/**
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} query what is empty is left out
 */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '')
  if (given.length === 0) return path
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return `${path}${path.includes('?') ? '&' : '?'}${text}`
}
