import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { tryOutSealKey } from '../../src/secrets/try-out-seal-key.ts'
import { mountSmallDisk } from '../faults/own-postgres.ts'

t.test('first starts at once have one key, which is there whole or not at all', async t => {
  const parent = await mkdtemp(path.join(tmpdir(), 'seal-key-'))
  t.teardown(() => rm(parent, { recursive: true, force: true }))
  const dataDir = path.join(parent, 'data')
  const keys = await Promise.all(Array.from({ length: 20 }, () => tryOutSealKey(dataDir)))
  t.equal(new Set(keys.map(key => key.toString('hex'))).size, 1)
  t.strictSame(await tryOutSealKey(dataDir), keys[0], 'and so has a later one')
  t.strictSame(await readdir(dataDir), ['seal.key'])
  t.equal((await stat(path.join(dataDir, 'seal.key'))).mode & 0o777, 0o600)
})

t.test('a first start that could not write its key is in the way of no later one', async t => {
  const disk = await mountSmallDisk(t, 1)
  if (disk === null) return
  const ballast = path.join(disk, 'ballast')
  await writeFile(ballast, Buffer.alloc(2 * 2 ** 20)).catch(() => undefined)
  await t.rejects(tryOutSealKey(disk), { code: 'ENOSPC' })
  await rm(ballast)
  t.equal((await tryOutSealKey(disk)).length, 32)
})
