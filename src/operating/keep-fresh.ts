import { performance } from 'node:perf_hooks'

/** A value that is read again and again; the last one is kept while it can't be read. */
export interface KeptFresh<T> {
  /** null until it has been read for the first time. Never waits. */
  last(): T | null
  /** How old `last` is, in milliseconds; infinite before there is one. */
  ageMs(): number
  /** A value that is at most this old. Reads it again when the kept one is older; rejects when it can't be read. */
  within(ms: number): Promise<T>
  /** Starts reading. Resolves after the first successful read, or when it is stopped before that. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface KeepFreshOptions<T> {
  /** Must end by itself, sooner or later. */
  load: () => Promise<T>
  everyMs: number
  onLoad: (loaded: T) => void
  /** Called for the first of several failures in a row. */
  onFailure: (error: unknown) => void
}

export function keepFresh<T>({ load, everyMs, onLoad, onFailure }: KeepFreshOptions<T>): KeptFresh<T> {
  let kept: { value: T; at: number } | null = null
  let reading: Promise<T> | null = null
  let running: Promise<void> = Promise.resolve()
  let failing = false
  let endPause = () => {}
  let stopped = false

  function read(): Promise<T> {
    reading ??= readNow().finally(() => {
      reading = null
    })
    return reading
  }

  async function readNow(): Promise<T> {
    // The value describes the moment it was asked for, or a later one.
    const at = performance.now()
    const value = await load()
    kept = { value, at }
    onLoad(value)
    return value
  }

  const ageMs = () => (kept === null ? Number.POSITIVE_INFINITY : performance.now() - kept.at)

  async function run(onFirst: () => void): Promise<void> {
    while (!stopped) {
      try {
        await read()
        failing = false
        onFirst()
      } catch (error) {
        if (!failing && !stopped) onFailure(error)
        failing = true
      }
      if (!stopped) await pause()
    }
    onFirst()
  }

  function pause(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, everyMs)
      endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  return {
    last: () => kept?.value ?? null,
    ageMs,
    async within(ms) {
      if (kept !== null && ageMs() <= ms) return kept.value
      const value = await read()
      // The read that was joined may have begun long ago.
      return ageMs() <= ms ? value : read()
    },
    start() {
      if (stopped) return Promise.resolve()
      return new Promise(resolve => {
        running = run(resolve)
      })
    },
    async stop() {
      stopped = true
      endPause()
      await running
    },
  }
}
