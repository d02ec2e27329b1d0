export interface BusyLoop {
  /**
   * To be called for each arriving callback. Whether callers have been waiting for this process itself, for longer than
   * a burst lasts.
   */
  isBehind(): boolean
  /** One was refused for that reason, so it is not over. */
  refused(): void
}

/** A turn of the event loop this long has left callers waiting in the buffers of their connections. */
const longMs = 200
/** A burst is over by then, and all of it is let in. What lasts longer is more than can be done. */
const burstMs = 1_000
const burstTurns = 4
/** When nobody had to be refused for this long, it is over. */
const overMs = 500
/**
 * And when no long turn has confirmed it for this long: callers who are refused and come back at once would otherwise
 * keep it alive for ever, long after the flood.
 */
const shownForMs = 3_000

/**
 * Recognises when the queue is not in front of the database but in front of the event loop, where nothing counts it:
 * callers whose requests nobody reads. Then one turn after another takes long, without a pause.
 */
export function watchLoop(
  now: () => number = () => performance.now(),
  atEndOfTurn: (work: () => void) => void = setImmediate,
): BusyLoop {
  let inTurn = false
  let ended = now()
  let long: { since: number; turns: number } | null = null
  let behindAt: number | null = null
  let shownAt = Number.NEGATIVE_INFINITY

  function begin(): void {
    const began = now()
    inTurn = true
    if (began - ended >= longMs) long = null
    atEndOfTurn(() => end(began))
  }

  function end(began: number): void {
    inTurn = false
    ended = now()
    if (ended - began < longMs) long = null
    else long = { since: long?.since ?? began, turns: (long?.turns ?? 0) + 1 }
    if (long === null || long.turns < burstTurns || ended - long.since < burstMs) return
    behindAt = ended
    shownAt = ended
  }

  return {
    isBehind() {
      if (!inTurn) begin()
      if (behindAt !== null && now() - behindAt >= overMs) behindAt = null
      return behindAt !== null
    },
    refused() {
      if (now() - shownAt < shownForMs) behindAt = now()
    },
  }
}
