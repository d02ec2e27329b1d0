import { html } from './html.js'

/**
 * What a view shows around its content: that it is loading, why there is nothing, or that what it shows is old.
 * @param {{ loaded: import('./types.d.ts').Loaded<any>, missing?: string, children: (value: any) => unknown }} props
 */
export function Show({ loaded: { value, error }, missing, children }) {
  if (value === null && error === null) return html`<p class="quiet waiting">Loading …</p>`
  const text = error?.status === 404 && missing !== undefined ? missing : error === null ? '' : reason(error)
  if (value === null) return html`<p class="problem" role="alert">${text}</p>`
  return html`
    ${error !== null && html`<p class="problem" role="status">What you see may be old. ${text}</p>`}
    ${children(value)}`
}

/**
 * A view asks again by itself, which helps when the service could not answer, but not when it refused.
 * @param {import('./api.js').ApiError} error
 */
function reason({ status, message }) {
  const mayPass = status === 0 || status === 429 || status >= 500
  return mayPass ? `${message.replace(/[.]?$/, '.')} It is asked again every few seconds.` : message
}

/** @param {{ of: string, text?: string }} props a result, a status or a verdict; its colour is never all that tells */
export function Badge({ of, text = of }) {
  return html`<span class=${`badge ${of}`}>${text}</span>`
}

/** @param {{ entries: [string, unknown][] }} props those without a value are left out */
export function Facts({ entries }) {
  const given = entries.filter(([, value]) => value !== null && value !== undefined && value !== '')
  return html`<dl class="facts">${given.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}
