import { enableCompileCache } from 'node:module'
import path from 'node:path'

// To compile all that the service loads takes a third of its start: a later start, or a worker, finds it done. It lies
// with the packages, and is trusted like them. Where that folder can't be written, each start compiles anew.
enableCompileCache(path.join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled'))

await import('./main.ts')
