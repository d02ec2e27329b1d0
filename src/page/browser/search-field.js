import { html } from './html.js'
import { goTo, linkTo } from './route.js'

export function SearchField() {
  const find = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const form = /** @type {HTMLFormElement} */ (event.currentTarget)
    const text = String(new FormData(form).get('text') ?? '').trim()
    if (text === '') return
    form.reset()
    goTo(linkTo('find', text))
  }
  return html`
    <form role="search" onSubmit=${find}>
      <input name="text" type="search" aria-label="Find a device, an activation or a callback"
        placeholder="EID, ICCID, IMEI, MDN, MSISDN, request id" spellcheck="false" autocomplete="off" />
      <button>Find</button>
    </form>`
}
