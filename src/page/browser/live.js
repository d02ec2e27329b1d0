import { createContext } from 'preact'
import { useContext, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from './api.js'

/** Grows when something has changed at the service: a signal to look again. */
export const Pulse = createContext(0)

/**
 * What `load` returns, loaded again with every pulse; the last value stays while there is no newer one.
 * @template Value
 * @param {(signal: AbortSignal) => Promise<Value>} load
 * @param {unknown[]} of what it depends on: when that is another thing, the old value goes at once
 * @returns {import('./types.d.ts').Loaded<Value>}
 */
export function useLive(load, of) {
  const pulse = useContext(Pulse)
  const key = JSON.stringify(of)
  const [loaded, setLoaded] = useState(
    /** @type {{ key: string, value: Value | null, error: ApiError | null }} */ ({ key, value: null, error: null }),
  )
  const asking = useRef(/** @type {{ key: string, again: boolean } | null} */ (null))
  const latest = useRef(load)
  latest.current = load

  useEffect(() => {
    // One question at a time: pulses that arrive meanwhile cause one more afterwards.
    if (asking.current?.key === key) {
      asking.current.again = true
      return
    }
    const mine = { key, again: true }
    asking.current = mine
    const ask = async () => {
      while (mine.again && asking.current === mine) {
        mine.again = false
        const next = await settle(latest.current)
        if (asking.current !== mine) return
        setLoaded(({ key: before, value }) => ({
          key,
          value: next.value ?? (before === key && next.error?.status !== 404 ? value : null),
          error: next.error,
        }))
      }
      if (asking.current === mine) asking.current = null
    }
    ask()
  }, [pulse, key])

  useEffect(
    () => () => {
      asking.current = { key: '', again: false }
    },
    [],
  )
  return loaded.key === key ? loaded : { value: null, error: null }
}

/**
 * @template Value
 * @param {(signal: AbortSignal) => Promise<Value>} load
 * @returns {Promise<{ value: Value | null, error: ApiError | null }>}
 */
async function settle(load) {
  try {
    return { value: await load(AbortSignal.timeout(30_000)), error: null }
  } catch (error) {
    return { value: null, error: error instanceof ApiError ? error : new ApiError(0, 'The page could not be shown.') }
  }
}
