import { useCallback, useEffect, useState } from 'preact/hooks'
import { onRefused, savedToken, saveToken } from './api.js'
import { html } from './html.js'
import { Pulse } from './live.js'
import { forgetRefusal } from './service-health.js'
import { Shell } from './shell.js'
import { SignIn } from './sign-in.js'
import { followChanges } from './stream.js'

/** Changes come in bursts: the page refreshes this often at most. */
const lookEveryMs = 700
/** And this often at least, for what no change announces: deadlines that pass, callbacks that change nothing. */
const lookAnywayMs = 15_000

/** @param {{ needsSignIn: boolean }} props */
export function App({ needsSignIn }) {
  const [isIn, setIn] = useState(!needsSignIn || savedToken() !== null)
  const [notice, setNotice] = useState('')
  const leave = useCallback((/** @type {string} */ why) => {
    saveToken(null)
    forgetRefusal()
    setNotice(why)
    setIn(false)
  }, [])
  useEffect(() => onRefused(() => leave('Your token is not known, or was revoked. Sign in with another one.')), [leave])

  if (!isIn) return html`<${SignIn} notice=${notice} onIn=${() => setIn(true)} />`
  return html`<${SignedIn} onLeave=${needsSignIn ? () => leave('') : null} />`
}

/** @param {{ onLeave: (() => void) | null }} props */
function SignedIn({ onLeave }) {
  const [pulse, setPulse] = useState(0)
  const [connection, setConnection] = useState(/** @type {import('./types.d.ts').Connection} */ ('connecting'))

  useEffect(() => {
    const ending = new AbortController()
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let soon
    const look = () => {
      soon ??= setTimeout(() => {
        soon = undefined
        setPulse(count => count + 1)
      }, lookEveryMs)
    }
    const anyway = setInterval(look, lookAnywayMs)
    const onState = (/** @type {import('./types.d.ts').Connection} */ state) => {
      setConnection(state)
      look()
    }
    followChanges({ onChange: look, onState, signal: ending.signal })
    return () => {
      ending.abort()
      clearTimeout(soon)
      clearInterval(anyway)
    }
  }, [])

  return html`<${Pulse.Provider} value=${pulse}><${Shell} connection=${connection} onLeave=${onLeave} /><//>`
}
