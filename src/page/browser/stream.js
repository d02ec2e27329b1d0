import { ApiError, ask, get } from './api.js'
import { readEvents } from './read-events.js'

const firstPauseMs = 500
const longestPauseMs = 3_000
/** A token that may not follow the feed will hardly be allowed to a moment later. */
const refusedPauseMs = 30_000
/** A comment comes every 15 seconds: longer silence means that the connection is dead, though nothing said so. */
const silenceMs = 40_000

/**
 * Follows the feed of changes, and resumes at the last cursor after every interruption, so that no change is missed.
 * EventSource can't send a token: the stream is read with fetch.
 * @param {{ onChange: () => void, onState: (state: import('./types.d.ts').Connection) => void, signal: AbortSignal }} options
 *   what is shown may be old with every new state
 */
export async function followChanges({ onChange, onState, signal }) {
  /** @type {string | null} */
  let cursor = null
  let pause = firstPauseMs
  while (!signal.aborted) {
    /** @type {unknown} */
    let problem = null
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
      // Whatever it was, it shows as a lost connection and is tried again; a refused token ends the session elsewhere.
      problem = error
    }
    if (signal.aborted) return
    const { status, retryAfterMs } = problem instanceof ApiError ? problem : { status: null, retryAfterMs: 0 }
    // The cursor belongs to another database than the present one, or is older than what is kept: everything shown is
    // read again once the connection is back.
    if (status === 400 || status === 410) cursor = null
    onState(status === 403 ? 'refused' : 'away')
    await rest(Math.max(pause, status === 403 ? refusedPauseMs : retryAfterMs), signal)
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
    const wake = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, milliseconds)
    signal.addEventListener('abort', wake)
  })
}
