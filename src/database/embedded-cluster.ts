import { randomBytes } from 'node:crypto'
import { chown, lstat, mkdir, open, readdir, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Binaries } from './embedded-binaries.ts'
import { canEnter, runAs, type ServerUser } from './embedded-process.ts'
import { openStore } from './embedded-store.ts'

/** The superuser of the cluster, and the database of the service in it. */
export const superuser = 'thingspace'

/** Where the cluster is, with links resolved; `undefined` before the first start. */
export async function findCluster(dataDir: string): Promise<string | undefined> {
  const path = join(dataDir, 'postgres')
  if (!(await exists(path))) return undefined
  return realpath(path).catch(cause => {
    throw new Error(
      `${path} points to a cluster that is gone. Put it back, or remove ${path} to begin with an empty database.`,
      { cause },
    )
  })
}

/**
 * Makes the cluster. It appears in the data directory whole or not at all; of two simultaneous first starts, one
 * cluster remains. Returns where it is.
 */
export async function createCluster(
  dataDir: string,
  password: string,
  binaries: Binaries,
  user: ServerUser | undefined,
  log: (line: string) => void,
): Promise<string> {
  const scratch = join(dataDir, `postgres.new-${randomBytes(6).toString('hex')}`)
  const outside = !(await canEnter(user, dataDir))
  const folder = outside ? join(await openStore(), randomBytes(6).toString('hex')) : scratch
  let kept: boolean
  try {
    // The link is how a later start finds what an interrupted one has left outside.
    if (outside) await symlink(folder, scratch)
    await mkdir(folder, { mode: 0o700 })
    if (user) await chown(folder, user.uid, user.gid)
    await initialise(folder, password, binaries, user)
    kept = await publish(dataDir, folder, outside)
  } catch (error) {
    await discard(scratch)
    // The winner of a race may have cleared ours away.
    if (!(await exists(join(dataDir, 'postgres')))) throw error
    kept = false
  }
  if (outside && kept) {
    log(`${user?.name} cannot enter ${dataDir}, so the database is kept in ${folder}; ${dataDir}/postgres links to it.`)
    await rm(scratch)
  } else {
    await discard(scratch)
  }
  return realpath(join(dataDir, 'postgres'))
}

/** Removes what interrupted first starts have left behind. Only for the owner of the running cluster. */
export async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    // What can't be removed now can be at the next start.
    if (name.startsWith('postgres.new-')) await discard(join(dataDir, name)).catch(() => {})
  }
}

/** Removes the data directory, including a cluster that is kept outside of it. For tests. */
export async function removeDataDirectory(dataDir: string): Promise<void> {
  const cluster = await findCluster(dataDir).catch(() => undefined)
  const outside = cluster && dirname(cluster) !== (await realpath(dataDir))
  if (outside) await rm(dirname(cluster), { recursive: true, force: true })
  await rm(dataDir, { recursive: true, force: true })
}

async function initialise(folder: string, password: string, binaries: Binaries, user: ServerUser | undefined) {
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' })
  if (user) await chown(passwordFile, user.uid, user.gid)
  const { ok, output } = await runAs(user, binaries.initdb, [
    `--pgdata=${join(folder, 'cluster')}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The same sort order and letter case on every machine, whatever locales it has.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ])
  await rm(passwordFile, { force: true })
  if (!ok) throw new Error(`initdb failed:\n${output}\n`)
}

/** False when another start was faster. Neither rename nor symlink replaces a cluster that is there. */
async function publish(dataDir: string, folder: string, outside: boolean): Promise<boolean> {
  const path = join(dataDir, 'postgres')
  const cluster = join(folder, 'cluster')
  try {
    if (outside) await symlink(cluster, path)
    else await rename(cluster, path)
  } catch (error) {
    if (['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
  const directory = await open(dataDir)
  await directory.sync().finally(() => directory.close())
  return true
}

/** A folder, or a link to a folder in the store. */
async function discard(scratch: string): Promise<void> {
  const target = await realpath(scratch).catch(() => undefined)
  if (target) await rm(target, { recursive: true, force: true, maxRetries: 5 })
  await rm(scratch, { force: true })
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    error => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}
