import { useEffect, useRef, useState } from 'preact/hooks'
import { get, saveToken } from './api.js'
import { html } from './html.js'

/** @param {{ notice: string, onIn: () => void }} props */
export function SignIn({ notice, onIn }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  const [problem, setProblem] = useState(notice)
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    document.title = 'Sign in · eSIM callbacks'
    field.current?.focus()
  }, [])
  useEffect(() => setProblem(notice), [notice])

  const enter = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const token = field.current?.value.trim() ?? ''
    // Text that can't be in a header is no token; fetch would reject it with an incomprehensible message.
    if (!/^[\x21-\x7e]+$/.test(token)) return setProblem('Paste the token that was printed when it was made.')
    setBusy(true)
    setProblem('')
    saveToken(token)
    try {
      await get('/v1/changes?after=now&limit=1')
      onIn()
    } catch (error) {
      saveToken(null)
      setProblem(reason(/** @type {import('./api.js').ApiError} */ (error)))
      setBusy(false)
    }
  }

  return html`
    <main class="sign-in">
      <img src="/assets/page/icon.svg" alt="" width="48" height="48" />
      <h1>eSIM callbacks</h1>
      <form onSubmit=${enter}>
        <label for="token">API token</label>
        <input id="token" ref=${field} type="password" autocomplete="off" spellcheck="false" required
          aria-describedby="token-hint token-problem" />
        <p id="token-hint" class="quiet">With the scope <code>read</code>. This tab keeps it until it is closed.</p>
        <p id="token-problem" class="problem" role="alert">${problem}</p>
        <button class="primary" disabled=${busy}>${busy ? 'Signing in …' : 'Sign in'}</button>
      </form>
    </main>`
}

/** @param {import('./api.js').ApiError} error */
function reason({ status, message }) {
  if (status === 401) return 'This token is not known, or was revoked.'
  if (status === 403) return 'This token may not read: it needs the scope read.'
  return message
}
