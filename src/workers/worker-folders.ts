import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'

/** The folder of a worker's spool. The first one's is that of a single process. */
export function workerFolder(dataDir: string, number: number): string {
  return number === 1 ? dataDir : path.join(dataDir, `worker-${number}`)
}

/** Folders of workers that no longer exist, because there are fewer workers now. */
export function leftFolders(dataDir: string, workers: number): string[] {
  if (!existsSync(dataDir)) return []
  return readdirSync(dataDir)
    .filter(name => Number(/^worker-(\d+)$/.exec(name)?.[1] ?? 0) > workers)
    .map(name => path.join(dataDir, name))
}
