import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

export interface PageFile {
  type: string
  plain: Buffer
  gzipped: () => Buffer
  etag: string
}

const own = path.join(import.meta.dirname, 'browser')
const types: { [ending: string]: string } = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** For each name in the page's import map (by its URL), the file of a package that is served there. */
const packages: { [url: string]: string } = {
  '/assets/preact.js': 'preact',
  '/assets/preact-hooks.js': 'preact/hooks',
  '/assets/htm.js': 'htm',
  '/assets/uplot.js': 'uplot/dist/uPlot.esm.js',
  '/assets/uplot.css': 'uplot/dist/uPlot.min.css',
}

/** Everything that the page needs, by URL, read once: a request names a key of this table, never a file. */
export function readPageFiles(): Map<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of readdirSync(own)) {
    const type = types[path.extname(name)]
    if (type !== undefined) files.set(`/assets/page/${name}`, pageFile(type, readFileSync(path.join(own, name))))
  }
  for (const [url, name] of Object.entries(packages)) {
    files.set(url, pageFile(types[path.extname(url)] ?? '', readPackageFile(name)))
  }
  return files
}

export interface Index {
  /** For users who must sign in, and for those who need not. */
  closed: PageFile
  open: PageFile
  /**
   * The only script in the page, allowed through the policy by its digest: it says which file belongs to which name.
   */
  importMap: string
}

export function readIndex(): Index {
  const text = readFileSync(path.join(own, 'index.html'), 'utf8')
  const [, importMap = ''] = /<script type="importmap">([^<]*)</.exec(text) ?? []
  const file = (html: string) => pageFile('text/html; charset=utf-8', Buffer.from(html))
  return {
    closed: file(text),
    open: file(text.replace('data-sign-in="needed"', 'data-sign-in="not-needed"')),
    importMap,
  }
}

function readPackageFile(name: string): Buffer {
  const text = readFileSync(fileURLToPath(import.meta.resolve(name)), 'utf8')
  // Source maps are not served; a browser with its tools open would ask for them in vain.
  return Buffer.from(text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n'))
}

function pageFile(type: string, plain: Buffer): PageFile {
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
  let gzipped: Buffer | undefined
  // Compressed when first asked for, so that the start does not wait for it.
  return { type, plain, gzipped: () => (gzipped ??= gzipSync(plain, { level: 9 })), etag }
}
