import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import { account } from '../fixtures/account.ts'
import { type ServerProcess, startServerProcess } from '../fixtures/server-process.ts'

/** A secret of a device, in every callback of the load: no line that the service prints may hold it. */
export const deviceSecret = 'canary-of-the-load'
export const listener = { username: 'listener', password: 'canary-of-the-listener' }
export const token = 'canary-of-the-reader'

export type Teardown = Pick<Test, 'teardown'>

/** The service as it runs in earnest, in a process of its own: with a listener and a token. */
export function startInEarnest(
  t: Teardown,
  databaseUrl: string,
  more: Record<string, string> = {},
  onListening?: (url: string) => void,
) {
  const env = {
    DATABASE_URL: databaseUrl,
    SEAL_KEY: Buffer.alloc(32, 7).toString('base64'),
    THINGSPACE_ACCOUNT: account,
    CALLBACK_USERNAME: listener.username,
    CALLBACK_PASSWORD: listener.password,
    API_TOKENS: `load:read,activate,metrics:*:${createHash('sha256').update(token).digest('hex')}`,
    SPOOL: 'off',
    ...more,
  }
  return startServerProcess(t, env, undefined, onListening)
}

/** Still the process that was started, and nothing secret in what it printed. */
export function isAlive({ child }: ServerProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}
