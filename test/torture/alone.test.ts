import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'

const folder = path.join(import.meta.dirname, '..')

/**
 * tap tells the parent of whatever process loads it, over the channel on which the processes of the torture and of the
 * bench answer their orders.
 */
t.test('no process of the torture or the bench loads tap', async t => {
  for (const part of ['torture', 'bench']) {
    for (const file of await readdir(path.join(folder, part))) {
      if (!/\.ts$/.test(file) || file.endsWith('.test.ts')) continue
      t.strictSame(await leadsToTap(path.join(folder, part, file)), [], `${part}/${file}`)
    }
  }
})

/** The files from one that imports tap to that one; none when none does. */
async function leadsToTap(file: string, seen = new Set<string>()): Promise<string[]> {
  seen.add(file)
  const text = await readFile(file, 'utf8')
  if (/^import (?!type ).* from 'tap'/m.test(text)) return [path.relative(folder, file)]
  for (const [, imported = ''] of text.matchAll(/^(?:import|export) (?!type )[^;]*? from '(\.[^']+\.ts)'/gm)) {
    const next = path.join(path.dirname(file), imported)
    if (seen.has(next)) continue
    const way = await leadsToTap(next, seen)
    if (way.length > 0) return [path.relative(folder, file), ...way]
  }
  return []
}
