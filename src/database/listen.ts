import pg from 'pg'
import type { Logger } from 'pino'
import { clientOf, type HostClient } from './host-client.ts'
import { hostsOf } from './hosts.ts'
import { listeningSettings } from './session-settings.ts'

const againAfterMs = 1_000
/** A connection that only listens does not notice that nothing can arrive any more. */
const askEveryMs = 2_000
const askWithinMs = 1_500

/**
 * Calls back at every NOTIFY on a channel, over a connection of its own that is replaced whenever it is lost; a
 * replacement calls back too, since something may have been missed. Returns a function that ends it.
 */
export async function listenTo(
  databaseUrl: string,
  channel: string,
  onNotice: () => void,
  log: Logger,
): Promise<() => Promise<void>> {
  const Client = clientOf(hostsOf(databaseUrl))
  let client: HostClient | null = null
  let ended = false
  let retry: NodeJS.Timeout | undefined

  async function connect(): Promise<void> {
    const fresh = new Client({
      application_name: 'thingspace listening',
      keepAlive: true,
      connectionTimeoutMillis: 3_000,
      query_timeout: askWithinMs,
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
      await fresh.query(listeningSettings())
      await fresh.checkWritable()
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
  // A failed query costs the client, so it connects again.
  const asking = setInterval(() => client?.query('select').catch(() => undefined), askEveryMs)
  return async () => {
    ended = true
    clearInterval(asking)
    clearTimeout(retry)
    await client?.end().catch(() => undefined)
  }
}
