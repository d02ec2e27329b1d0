import { ApiError, ask, get } from './api.js'
import { readEvents } from './read-events.js'

const firstPauseMs = 500
const longestPauseMs = 3_000
/** A comment comes every 15 seconds: silence for longer means that the connection is dead, though nobody said so. */
const silenceMs = 40_000

/**
 * Follows the feed of changes and comes back with the last cursor after every break, so that no change is missed.
 * EventSource can't send a token: the stream is read with fetch.
 * @param {{ onChange: () => void, onState: (state: 'live' | 'away') => void, signal: AbortSignal }} options
 *   what is shown may be old with every new state
 */
export async function followChanges({ onChange, onState, signal }) {
  /** @type {string | null} */
  let cursor = null
  let pause = firstPauseMs
  while (!signal.aborted) {
    try {
      cursor ??= (await get('/v1/changes?after=now&limit=1', signal)).cursor
      await readStream({
        cursor: /** @type {string} */ (cursor),
        signal,
        onOpen: () => {
          pause = firstPauseMs
          onState('live')
        },
        onEvent: id => {
          cursor = id
          onChange()
        },
      })
    } catch (error) {
      // Whatever it was, it is shown as a broken line, and tried again; a refused token ends the session elsewhere.
      if (error instanceof ApiError && error.status === 410) cursor = null
    }
    if (signal.aborted) return
    onState('away')
    await rest(pause, signal)
    pause = Math.min(pause * 2, longestPauseMs)
  }
}

/** @param {{ cursor: string, signal: AbortSignal, onOpen: () => void, onEvent: (id: string) => void }} options */
async function readStream({ cursor, signal, onOpen, onEvent }) {
  const silent = new AbortController()
  let watch = setTimeout(() => silent.abort(), silenceMs)
  try {
    const response = await ask('/v1/changes/stream', {
      headers: { 'last-event-id': cursor },
      signal: AbortSignal.any([signal, silent.signal]),
    })
    if (response.body === null) return
    onOpen()
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    const events = readEvents(onEvent)
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(watch)
      watch = setTimeout(() => silent.abort(), silenceMs)
      events(value)
    }
  } finally {
    clearTimeout(watch)
  }
}

/** @param {number} milliseconds @param {AbortSignal} signal @returns {Promise<void>} */
function rest(milliseconds, signal) {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
