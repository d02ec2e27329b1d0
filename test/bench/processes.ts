import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { AskOrder } from './ask.ts'
import type { LoadOrder } from './load.ts'
import type { LoadResult } from './order.ts'
import type { InsertOrder } from './single-inserts.ts'

const folder = import.meta.dirname
const server = path.join(folder, '..', '..', 'src', 'server.ts')

/** Of the one who asks. */
export const token = 'token-of-the-bench'

export interface Contestant {
  name: string
  url: string
  /** Microseconds of processor time that it has used so far; only the bare server tells. */
  cpu?(): Promise<number>
  /** Bytes of memory that it occupies now; only the service tells. */
  memory?(): number
  stop(): void
}

/** One of the servers of this folder, that tells where it listens. */
export async function startContestant(name: string, file: string, env: NodeJS.ProcessEnv = {}): Promise<Contestant> {
  const child = fork(path.join(folder, file), { env: { PATH: process.env.PATH, ...env } })
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  const cpu = async () => {
    child.send('cpu')
    const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage]
    return user + system
  }
  return { name, url, cpu, stop: () => child.disconnect() }
}

/** The service itself, with a listener, so that credentials are checked as they are in earnest. */
export async function startService(databaseUrl: string, name = 'service', workers = 1): Promise<Contestant> {
  const child = fork(server, {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATABASE_URL: databaseUrl,
      SEAL_KEY: Buffer.alloc(32, 7).toString('base64'),
      THINGSPACE_ACCOUNT: '0000123456-00001',
      CALLBACK_USERNAME: 'listener-acct1',
      CALLBACK_PASSWORD: 'LISTENER-PASSWORD-PLACEHOLDER',
      API_TOKENS: `bench:read,activate:*:${createHash('sha256').update(token).digest('hex')}`,
      RATE_LIMIT: '100000000',
      WORKERS: String(workers),
    },
  })
  const url = await listeningAt(child)
  return { name, url, memory: () => residentBytes(child.pid), stop: () => child.kill('SIGTERM') }
}

/** As Linux tells it; NaN elsewhere. */
function residentBytes(pid: number | undefined): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024
  } catch {
    return Number.NaN
  }
}

function listeningAt(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', chunk => {
      if (text === 'ready') return
      text += chunk
      const url = /listening on (http:\S+?)"/.exec(text)?.[1]
      if (url === undefined || !text.includes('"msg":"ready"')) return
      text = 'ready'
      resolve(url)
    })
    child.once('exit', code => reject(new Error(`the service ended with ${code}`)))
  })
}

/** Sends callbacks from a process of its own. */
export function sendLoad(order: LoadOrder): Promise<LoadResult> {
  return sendTo('load.ts', order)
}

/** Asks from a process of its own. */
export function ask(order: AskOrder): Promise<LoadResult> {
  return sendTo('ask.ts', order)
}

/** Inserts single rows from a process of its own. */
export function insertSingleRows(order: InsertOrder): Promise<LoadResult> {
  return sendTo('single-inserts.ts', order)
}

async function sendTo(file: string, order: LoadOrder | AskOrder | InsertOrder): Promise<LoadResult> {
  const child = fork(path.join(folder, file))
  child.send(order)
  const [result] = (await once(child, 'message')) as [LoadResult]
  return result
}
