import { useEffect, useRef, useState } from 'preact/hooks'
import { post } from './api.js'
import { count } from './format.js'
import { html } from './html.js'

/**
 * Reads callbacks again with the current code. A first step only counts what that would do.
 * @param {{ filter: Record<string, string> }} props
 */
export function Reprocess({ filter }) {
  const [state, setState] = useState(
    /** @type {{ busy: boolean, dry: import('./types.d.ts').Reprocessed | null, said: string }} */ ({
      busy: false,
      dry: null,
      said: '',
    }),
  )
  const confirm = useRef(/** @type {HTMLButtonElement | null} */ (null))
  useEffect(() => confirm.current?.focus(), [state.dry])

  const run = async (/** @type {boolean} */ dryRun) => {
    setState(before => ({ ...before, busy: true, said: '' }))
    try {
      const outcome = await post('/v1/callbacks/reprocess', { ...filter, dryRun })
      setState({ busy: false, dry: dryRun && outcome.matched > 0 ? outcome : null, said: told(outcome) })
    } catch (error) {
      setState({ busy: false, dry: null, said: /** @type {Error} */ (error).message })
    }
  }
  return html`
    <div class="reprocess">
      ${
        state.dry === null
          ? html`<button disabled=${state.busy} onClick=${() => run(true)}>Read these again: count first</button>`
          : html`
            <button class="primary" ref=${confirm} disabled=${state.busy} onClick=${() => run(false)}>
              Read ${count(state.dry.matched)} again now</button>
            <button disabled=${state.busy} onClick=${() => setState({ busy: false, dry: null, said: '' })}>Cancel</button>`
      }
      <span role="status">${state.said}</span>
    </div>`
}

/** @param {import('./types.d.ts').Reprocessed} outcome */
export function told({ matched, reprocessed, verdicts, dryRun }) {
  if (matched === 0) return 'None match.'
  const became = Object.entries(verdicts).map(([verdict, number]) => `${count(number)} ${verdict}`)
  const verdictsTold = became.length === 0 ? '' : `: ${became.join(', ')}`
  if (dryRun) return `${count(matched)} would be read again${verdictsTold}. Nothing was changed yet.`
  return `${count(reprocessed)} of ${count(matched)} were read again${verdictsTold}.`
}
