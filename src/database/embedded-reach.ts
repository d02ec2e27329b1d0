import { resolve } from 'node:path'
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded.ts'
import { findCluster, superuser } from './embedded-cluster.ts'
import { isOwned } from './embedded-owner.ts'
import { readPassword } from './embedded-password.ts'
import { findPostmaster } from './embedded-predecessor.ts'

/**
 * The embedded PostgreSQL for a command beside the service: that of the running service if there is one, else one of
 * its own for as long as the command runs.
 */
export async function reachEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  return (await findRunning(resolve(options.dataDir))) ?? startEmbeddedPostgres(options)
}

async function findRunning(dataDir: string): Promise<EmbeddedPostgres | undefined> {
  const cluster = await findCluster(dataDir)
  const running = cluster === undefined ? undefined : await findPostmaster(cluster)
  if (running === undefined) return undefined
  const { port } = running
  const password = await readPassword(dataDir)
  // Whatever else it may be doing, starting one of our own will find out.
  if (!(await isOwned({ port, password }).catch(() => false))) return undefined
  return { url: `postgres://${superuser}:${password}@127.0.0.1:${port}/thingspace`, stop: async () => undefined }
}
