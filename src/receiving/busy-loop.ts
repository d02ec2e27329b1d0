export interface BusyLoop {
  /** To be called for each that comes. Whether callers have waited for this process itself, for longer than a burst. */
  isBehind(): boolean
  /** One was refused for that reason: it is not over. */
  refused(): void
}

/** A turn of the event loop that takes so long left callers waiting in the buffers of their connections. */
const longMs = 200
/** A burst is over by then, and all of it is let in. What lasts longer is more than can be done. */
const burstMs = 1_000
const burstTurns = 4
/** Nobody had to be refused for so long: it is over. */
const overMs = 500

/**
 * Tells when the queue is not in front of the database but in front of the event loop, where nothing counts it: callers
 * that nobody reads from. One turn after another then takes long, without a pause.
 */
export function watchLoop(
  now: () => number = () => performance.now(),
  atEndOfTurn: (work: () => void) => void = setImmediate,
): BusyLoop {
  let inTurn = false
  let ended = now()
  let long: { since: number; turns: number } | null = null
  let behindAt: number | null = null

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
    if (long !== null && long.turns >= burstTurns && ended - long.since >= burstMs) behindAt = ended
    else if (behindAt !== null && ended - behindAt >= overMs) behindAt = null
  }

  return {
    isBehind() {
      if (!inTurn) begin()
      return behindAt !== null
    },
    refused() {
      behindAt = now()
    },
  }
}
