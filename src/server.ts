import { enableCompileCache } from 'node:module'
import path from 'node:path'

// Compiling everything that the service loads takes a third of its start, so later starts and workers reuse the result.
// It lies beside the packages and is trusted like them. Where that folder can't be written, each start compiles again.
enableCompileCache(path.join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled'))

await import('./main.ts')
