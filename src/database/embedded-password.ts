import { randomBytes } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** The password of the cluster in this data directory. */
export async function readPassword(dataDir: string): Promise<string> {
  const file = join(dataDir, 'postgres-password')
  const password = (await readFile(file, 'utf8')).trim()
  if (!password) throw new Error(`${file} is empty. Put the password of the cluster back.`)
  return password
}

/** The password for a cluster that is about to be made. Two simultaneous first starts agree on one. */
export async function readOrMakePassword(dataDir: string): Promise<string> {
  const file = join(dataDir, 'postgres-password')
  const draft = `${file}.new-${randomBytes(6).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${randomBytes(24).toString('base64url')}\n`)
    await handle.sync()
    // A link appears whole or not at all, and never replaces another one.
    await link(draft, file).catch(error => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await handle.close()
    await rm(draft, { force: true })
  }
  return readPassword(dataDir)
}
