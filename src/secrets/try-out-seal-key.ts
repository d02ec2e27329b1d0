import { randomBytes } from 'node:crypto'
import { type FileHandle, link, mkdir, open, readFile, rm } from 'node:fs/promises'
import path from 'node:path'

/**
 * The seal key of the try-out mode: made once, and kept in the data directory beside the database it belongs to. Good
 * enough for trying things out; in production the key comes from `SEAL_KEY`, and is kept apart from what it seals.
 */
export async function tryOutSealKey(dataDir: string): Promise<Buffer> {
  await mkdir(dataDir, { recursive: true })
  const file = path.join(dataDir, 'seal.key')
  if ((await readOrNull(file)) === null) await make(dataDir, file)
  const key = Buffer.from(await readFile(file, 'utf8'), 'base64')
  if (key.length !== 32) {
    throw new Error(`${file} does not hold a key of 32 bytes; restore it, or remove ${dataDir} to begin anew`)
  }
  return key
}

async function readOrNull(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}

/** A link appears whole or not at all, and never replaces another's: of two first starts at once, both have one key. */
async function make(dataDir: string, file: string): Promise<void> {
  const draft = `${file}.new-${randomBytes(6).toString('hex')}`
  try {
    await synced(draft, 'wx', handle => handle.writeFile(randomBytes(32).toString('base64')))
    await link(draft, file).catch(error => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(draft, { force: true })
  }
  // What is sealed with it may be on the disk at once.
  await synced(dataDir, 'r')
}

async function synced(name: string, flags: string, work?: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(name, flags, 0o600)
  try {
    await work?.(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
