import { useEffect, useRef } from 'preact/hooks'
import { ActivationPage } from './activation-page.js'
import { ActivationsPage } from './activations-page.js'
import { CallbackPage } from './callback-page.js'
import { CallbacksPage } from './callbacks-page.js'
import { DevicePage } from './device-page.js'
import { FindPage } from './find-page.js'
import { html } from './html.js'
import { Overview } from './overview.js'
import { useRoute } from './route.js'
import { SearchField } from './search-field.js'

const states = {
  connecting: 'Connecting …',
  live: 'Live',
  away: 'Connection lost, trying again …',
  refused: 'This token may not follow changes',
}
const links = [
  { href: '#/', text: 'Overview', of: undefined },
  { href: '#/activations', text: 'Activations', of: 'activations' },
  { href: '#/callbacks', text: 'Callbacks', of: 'callbacks' },
]

/** @param {{ connection: import('./types.d.ts').Connection, onLeave: (() => void) | null }} props */
export function Shell({ connection, onLeave }) {
  const route = useRoute()
  const main = useRef(/** @type {HTMLElement | null} */ (null))
  const shown = useRef(route.visit)
  useEffect(() => {
    const heading = main.current?.querySelector('h1')
    document.title = `${heading?.textContent ?? 'eSIM callbacks'} · eSIM callbacks`
    // A new view: users of screen readers and keyboards start at its heading.
    if (shown.current === route.visit) return
    shown.current = route.visit
    scrollTo(0, 0)
    heading?.focus({ preventScroll: true })
  }, [route.visit])

  const skip = (/** @type {Event} */ event) => {
    event.preventDefault()
    main.current?.focus()
  }
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <header>
      <a class="brand" href="#/"><img src="/assets/page/icon.svg" alt="" width="24" height="24" />eSIM callbacks</a>
      <nav aria-label="Views">
        ${links.map(
          ({ href, text, of }) =>
            html`<a href=${href} aria-current=${route.words[0] === of ? 'page' : undefined}>${text}</a>`,
        )}
      </nav>
      <${SearchField} />
      <span class=${`connection ${connection}`} role="status">${states[connection]}</span>
      ${onLeave && html`<button onClick=${onLeave}>Sign out</button>`}
    </header>
    <main id="main" ref=${main} tabindex="-1" key=${route.visit}><${View} route=${route} /></main>`
}

/** @param {{ route: ReturnType<typeof useRoute> }} props */
function View({ route: { words, query } }) {
  const [kind, first, second] = words
  if (kind === undefined) return html`<${Overview} />`
  if (kind === 'activations' && first !== undefined) return html`<${ActivationPage} requestId=${first} />`
  if (kind === 'activations') return html`<${ActivationsPage} query=${query} />`
  if (kind === 'devices' && second !== undefined) return html`<${DevicePage} kind=${first} id=${second} />`
  if (kind === 'callbacks' && first !== undefined) return html`<${CallbackPage} callbackId=${first} />`
  if (kind === 'callbacks') return html`<${CallbacksPage} query=${query} />`
  if (kind === 'find') return html`<${FindPage} text=${first ?? ''} />`
  return html`<h1 tabindex="-1">Nothing here</h1><p>This address names no view. <a href="#/">Go to the overview.</a></p>`
}
