import { withQuery } from './api.js'
import { html } from './html.js'

/**
 * @param {{ page: { next: string | null, prev: string | null }, path: string, query: Record<string, string | null> }} props
 */
export function Pager({ page: { next, prev }, path, query }) {
  if (next === null && prev === null) return null
  const link = (/** @type {string | null} */ cursor, /** @type {string} */ text) =>
    cursor !== null && html`<a class="button" href=${`#${withQuery(path, { ...query, cursor })}`}>${text}</a>`
  return html`<nav class="pager" aria-label="Pages">${link(prev, 'Newer')} ${link(next, 'Older')}</nav>`
}
