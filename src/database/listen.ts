import pg from 'pg'
import type { Logger } from 'pino'

const againAfterMs = 1_000

/**
 * Calls back at every NOTIFY on a channel, over a connection of its own that is made anew whenever it is lost; a
 * connection made anew calls back too, since something may have been missed. Returns what ends it.
 */
export async function listenTo(
  databaseUrl: string,
  channel: string,
  onNotice: () => void,
  log: Logger,
): Promise<() => Promise<void>> {
  let client: pg.Client | null = null
  let ended = false
  let retry: NodeJS.Timeout | undefined

  async function connect(): Promise<void> {
    const fresh = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'thingspace listening',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    })
    const lost = () => {
      if (client === fresh) client = null
      fresh.removeAllListeners('end')
      if (!ended) retry = setTimeout(() => void connect(), againAfterMs)
    }
    fresh.on('error', () => undefined)
    fresh.on('notification', onNotice)
    fresh.once('end', lost)
    try {
      await fresh.connect()
      await fresh.query(`listen ${pg.escapeIdentifier(channel)}`)
      client = fresh
      onNotice()
    } catch (error) {
      log.debug({ err: error }, 'could not listen for changes; trying again')
      await fresh.end().catch(() => undefined)
    }
    if (ended) await fresh.end().catch(() => undefined)
  }

  await connect()
  return async () => {
    ended = true
    clearTimeout(retry)
    await client?.end().catch(() => undefined)
  }
}
