import type { EmbeddedPostgres } from './embedded.ts'

/** Loaded only when it is needed: a production install does not carry it. */
export async function startEmbedded(dataDir: string, say: (line: string) => void): Promise<EmbeddedPostgres> {
  const { startEmbeddedPostgres } = await import('./embedded.ts')
  say(`starting the embedded PostgreSQL in ${dataDir}; set DATABASE_URL to use another one`)
  return startEmbeddedPostgres({ dataDir, log: say })
}
