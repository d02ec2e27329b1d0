import { promises as fs } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const src = path.join(import.meta.dirname, '..', 'src')

interface Import {
  file: string
  from: string
}

async function readImports(): Promise<Import[]> {
  const files = (await fs.readdir(src, { recursive: true })).filter(file => file.endsWith('.ts'))
  const found = await Promise.all(
    files.map(async file => {
      const text = await fs.readFile(path.join(src, file), 'utf8')
      return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, from = '']) => ({
        file,
        from: from.startsWith('.') ? path.join(path.dirname(file), from) : from,
      }))
    }),
  )
  return found.flat()
}

t.test('imports point one way', async t => {
  const imports = await readImports()
  t.ok(imports.length > 100)
  const breaks = (rule: (one: Import) => boolean) => imports.filter(rule).map(({ file, from }) => `${file} <- ${from}`)
  const within = (folder: string) => (one: Import) => one.file.startsWith(`${folder}/`)

  const thingspace = breaks(
    one => within('thingspace')(one) && !one.from.startsWith('thingspace/') && one.from.endsWith('.ts'),
  )
  t.strictSame(thingspace, [], 'thingspace/ knows nothing of the other folders')

  const simulator = breaks(
    one => within('simulator')(one) && one.from.endsWith('.ts') && !/^(simulator|thingspace)\//.test(one.from),
  )
  t.strictSame(simulator, [], 'the simulator imports only thingspace/')

  const pg = breaks(one => one.from === 'pg' && !within('database')(one))
  t.strictSame(pg, [], 'pg is named only in database/')

  const fastify = breaks(
    one =>
      one.from === 'fastify' &&
      !/-routes?\.ts$|^app\.ts$|^service\.ts$|^simulator\/|^operating\/(guard|access|answer-error|etag|rate-limit|read-query)\.ts$/.test(
        one.file,
      ),
  )
  t.strictSame(fastify, [], 'fastify is named only at the edge')

  const receiving = breaks(
    one => one.from.startsWith('receiving/') && !/^(receiving\/|app\.ts|service\.ts)/.test(one.file),
  )
  t.strictSame(receiving, [], 'nothing below depends on receiving/')
})

t.test('the environment is read at the doors only', async t => {
  const files = (await fs.readdir(src, { recursive: true })).filter(file => file.endsWith('.ts'))
  const readers: string[] = []
  for (const file of files) {
    const text = await fs.readFile(path.join(src, file), 'utf8')
    if (text.includes('process.env')) readers.push(file)
  }
  t.strictSame(
    readers.filter(file => !/^(main\.ts|commands\/|database\/embedded)/.test(file)),
    [],
  )
})
