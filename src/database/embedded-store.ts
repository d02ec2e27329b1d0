import { chmod, lstat, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const name = 'thingspace-callback-receiver'

/** Where root keeps what the server's user must reach when it can't enter the checkout or the data directory. */
export async function openStore(): Promise<string> {
  const folder = join('/var/lib', name)
  await mkdir(folder, { recursive: true, mode: 0o711 })
  // The umask may have restricted it.
  await chmod(folder, 0o711)
  return folder
}

/**
 * For what can be lost and made again. The name in the temporary folder can be guessed, so it must be provably ours.
 */
export async function openStoreOrTemporary(): Promise<string> {
  try {
    return await openStore()
  } catch {
    const folder = join(tmpdir(), `${name}-${process.getuid?.()}`)
    await mkdir(folder, { recursive: true, mode: 0o711 })
    const found = await lstat(folder)
    if (!found.isDirectory() || found.uid !== process.getuid?.() || found.mode & 0o022) {
      throw new Error(`${folder} is not a folder that only this user can write to; remove it.`)
    }
    await chmod(folder, 0o711)
    return folder
  }
}
