import type { EmbeddedPostgres } from './embedded.ts'

/** Each process has some 20, and commands beside it have a few. */
const connectionsOf = (processes: number) => Math.max(100, 25 * processes + 20)

/** Loaded only when it is needed: a production install does not carry it. */
export async function startEmbedded(
  dataDir: string,
  say: (line: string) => void,
  processes = 1,
): Promise<EmbeddedPostgres> {
  const { startEmbeddedPostgres } = await import('./embedded.ts')
  say(`starting the embedded PostgreSQL in ${dataDir}; set DATABASE_URL to use another one`)
  const settings = { max_connections: String(connectionsOf(processes)) }
  return startEmbeddedPostgres({ dataDir, settings, log: say })
}
