import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import path from 'node:path'

/**
 * The seal key of the try-out mode: made once, and kept in the data directory beside the database it belongs to. Good
 * enough for trying things out; in production the key comes from `SEAL_KEY`, and is kept apart from what it seals.
 */
export async function tryOutSealKey(dataDir: string): Promise<Buffer> {
  await mkdir(dataDir, { recursive: true })
  const file = path.join(dataDir, 'seal.key')
  try {
    const made = await open(file, 'wx', 0o600)
    await made.writeFile(randomBytes(32).toString('base64'))
    await made.sync()
    await made.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const key = Buffer.from(await readFile(file, 'utf8'), 'base64')
  if (key.length !== 32) {
    throw new Error(`${file} does not hold a key of 32 bytes; restore it, or remove ${dataDir} to begin anew`)
  }
  return key
}
