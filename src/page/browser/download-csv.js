import { useState } from 'preact/hooks'
import { getAll } from './api.js'
import { targetsAsCsv } from './csv.js'
import { html } from './html.js'

/** @param {{ path: string, requestId: string }} props */
export function DownloadCsv({ path, requestId }) {
  const [state, setState] = useState('')
  const download = async () => {
    setState('Collecting …')
    try {
      hand(targetsAsCsv(await getAll(`${path}/targets`)), `activation-${requestId}.csv`)
      setState('')
    } catch (error) {
      setState(/** @type {Error} */ (error).message)
    }
  }
  return html`<button onClick=${download}>Download as CSV</button> <span role="status">${state}</span>`
}

/** @param {string} text @param {string} name */
function hand(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  const link = Object.assign(document.createElement('a'), { href: url, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
