import type pg from 'pg'
import type { Hosts } from './hosts.ts'
import { MortalClient } from './mortal-client.ts'

/** A client of whichever host is current when it is made; it reports when that was the wrong one. */
export interface HostClient extends MortalClient {
  /**
   * Rejects, just like a read-only server would, when the server of this connection is a standby: what is read there may
   * be old, and a name that points to it for a moment would have led a connection there for good. Of several hosts it is
   * the one that takes writes, or another may be.
   */
  checkWritable(): Promise<void>
}

export function clientOf(hosts: Hosts): new (config?: pg.ClientConfig) => HostClient {
  return class extends MortalClient implements HostClient {
    readonly #url: string

    constructor(config: pg.ClientConfig = {}) {
      const url = hosts.current()
      super({ ...config, connectionString: url })
      this.#url = url
    }

    override connect: pg.Client['connect'] = ((callback?: (error?: Error) => void): unknown => {
      const told = (error?: Error) => {
        if (error) hosts.leave(this.#url)
      }
      if (callback === undefined) {
        return super.connect().catch(error => {
          told(error)
          throw error
        })
      }
      return super.connect((error?: Error | null) => {
        told(error ?? undefined)
        callback(error ?? undefined)
      })
    }) as pg.Client['connect']

    async checkWritable(): Promise<void> {
      if (hosts.mayFollow) return
      const { rows } = await this.query(kindOfServer)
      if (rows[0]?.[hosts.mustWrite ? 'read_only' : 'follows'] === false) return
      hosts.leave(this.#url)
      throw Object.assign(new Error('the server takes no writes'), { code: readOnly })
    }
  }
}

const readOnly = '25006'
const kindOfServer =
  "select pg_is_in_recovery() as follows, current_setting('transaction_read_only')::boolean as read_only"
