import { resolve } from 'node:path'
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded.ts'
import { findCluster, superuser } from './embedded-cluster.ts'
import { isOwned } from './embedded-owner.ts'
import { readPassword } from './embedded-password.ts'
import { findPostmaster } from './embedded-predecessor.ts'

/**
 * The embedded PostgreSQL for a command beside the service: the one that a running service has, and else one of the
 * command's own, for as long as that lasts.
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
  // Whatever else it may be doing, starting one of our own finds out.
  if (!(await isOwned({ port, password }).catch(() => false))) return undefined
  return { url: `postgres://${superuser}:${password}@127.0.0.1:${port}/thingspace`, stop: async () => undefined }
}
