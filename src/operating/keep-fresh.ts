import { performance } from 'node:perf_hooks'

/** What was read last, read again and again; kept when it can't be read. */
export interface KeptFresh<T> {
  /** null until it could be read for the first time. Never waits. */
  last(): T | null
  /** Milliseconds since the moment of which `last` tells; infinite before. */
  ageMs(): number
  /** What was true at most so long ago. Reads it when what is kept is older; rejects when it can't be read. */
  within(ms: number): Promise<T>
  /** Begins to read. Resolves once that went well for the first time, or when it is stopped before. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface KeepFreshOptions<T> {
  /** Must end by itself, sooner or later. */
  load: () => Promise<T>
  everyMs: number
  onLoad: (loaded: T) => void
  /** Told of the first failure of a row of them. */
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
    // It tells of the moment it was asked for, or of a later one.
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
