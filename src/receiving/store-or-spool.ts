import type { CallbackWriter } from './callback-writer.ts'
import type { Authentic } from './incoming-callback.ts'
import type { Outage } from './outage.ts'
import { type Spool, SpoolFull } from './spool.ts'
import type { StoredCallback } from './store-callbacks.ts'
import { StoreBusy, StoreRefused, StoreUnavailable } from './store-errors.ts'

/** Kept on this machine's disk: it goes to the database when that is back. */
export interface Spooled {
  callbackId: string
  verdict: 'spooled'
}

export interface StoreOrSpoolOptions {
  writer: Pick<CallbackWriter, 'store'>
  /** null: there is none at the moment. */
  ownSpool: () => Spool | null
  outage: Outage
  onSpooled: () => void
  /** The disk would not take it. */
  onFailure: (error: unknown) => void
}

/**
 * Takes an authentic message: into the database, or, while that is away, into the spool. Throws as the writer does when
 * neither has it. In an outage nothing waits for the database any more: the drain finds out when it is back.
 */
export function storeOrSpool({ writer, ownSpool, outage, onSpooled, onFailure }: StoreOrSpoolOptions) {
  return async (message: Authentic): Promise<StoredCallback | Spooled> => {
    const spool = ownSpool()
    if (spool === null) return writer.store(message)
    if (outage.isOn()) return keep(spool, message)
    try {
      return await writer.store(message)
    } catch (error) {
      if (error instanceof StoreRefused) throw error
      // While others are committed it is a row that somebody holds: the spool has this one, and they need not wait.
      if (error instanceof StoreUnavailable && outage.isLikely()) outage.failed()
      // Too many wait: only in an outage is that no reason to send it again a little later.
      if (!(error instanceof StoreUnavailable || (error instanceof StoreBusy && outage.isLikely()))) throw error
      return keep(spool, message)
    }
  }

  async function keep(into: Spool, message: Authentic): Promise<Spooled> {
    try {
      await into.add(message)
    } catch (error) {
      if (!(error instanceof SpoolFull)) onFailure(error)
      throw new StoreUnavailable('neither the database nor the spool takes the callback', { cause: error })
    }
    onSpooled()
    return { callbackId: message.id, verdict: 'spooled' }
  }
}
