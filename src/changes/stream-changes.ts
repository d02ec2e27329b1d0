import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Accounts } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import type { ChangeFeed } from './change-feed.ts'
import { type ChangeRow, type ChangeView, changeView, type Place, writePlace } from './change-view.ts'
import { type ChangeFilter, placeAfter } from './find-changes.ts'

export interface Follower {
  feed: ChangeFeed
  cursors: Cursors
  after: Place
  filter: ChangeFilter
  accounts: Accounts
  /** Aborted when the reader has left, or the service is closing. */
  gone: AbortSignal
}

const heartbeatMs = 15_000
const atOnce = 200

/**
 * Writes the changes as they come, and a comment whenever there was nothing to write for 15 seconds, whatever changed
 * for others meanwhile. Each reader goes at its own pace: what it has not taken yet stays in the feed, not in our
 * memory.
 */
export async function streamChanges(response: ServerResponse, follower: Follower): Promise<void> {
  const { feed, cursors, filter, accounts, gone } = follower
  // A silent connection is closed after some seconds. Here silence is normal; four heartbeats that nobody takes are
  // not.
  response.socket?.setTimeout(4 * heartbeatMs)
  let spoken = performance.now()
  const say = async (text: string) => {
    spoken = performance.now()
    // If it can't be written any more, the reader is gone, which ends the loop below.
    if (!response.write(text)) await once(response, 'drain', { signal: gone }).catch(() => undefined)
  }
  // With its place, which is no event: who begins with `now` and is cut off before the first one comes back to that, and
  // who hears of few changes is not refused for coming back to a place from before many that were deleted.
  const sayWhere = (comment: string, at: Place) => say(`: ${comment}\nid: ${writePlace(at, cursors)}\n\n`)
  await sayWhere('connected', follower.after)
  for (let at = follower.after; !gone.aborted; ) {
    const found = await feed.read(at, filter, accounts, atOnce)
    at = placeAfter(found)
    if (found.rows.length > 0) {
      await say(found.rows.map(row => eventOf(row, cursors, found.deletedTo)).join(''))
      continue
    }
    await feed.grown(at.id, Math.max(0, spoken + heartbeatMs - performance.now()), gone)
    if (performance.now() - spoken >= heartbeatMs) await sayWhere('still here', at)
  }
}

/** What is in the feed's memory is the same row for every reader: it is signed and written out once for all of them. */
const events = new WeakMap<ChangeRow, string>()

function eventOf(row: ChangeRow, cursors: Cursors, deletedTo: bigint): string {
  const event = events.get(row) ?? written(changeView(row, cursors, deletedTo))
  events.set(row, event)
  return event
}

function written(change: ChangeView): string {
  return `event: change\nid: ${change.cursor}\ndata: ${JSON.stringify(change)}\n\n`
}
