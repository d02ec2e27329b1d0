import htm from 'htm'
import { h } from 'preact'

/**
 * Element templates, which the browser reads as they are: nothing is built. Text in them is never interpreted as HTML.
 */
export const html = htm.bind(h)
