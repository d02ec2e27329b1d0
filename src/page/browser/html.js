import htm from 'htm'
import { h } from 'preact'

/** Templates of elements, read by the browser as they are: nothing is built. Text in them is never taken as HTML. */
export const html = htm.bind(h)
