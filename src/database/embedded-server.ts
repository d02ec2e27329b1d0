import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from './embedded-owner.ts'
import { childOptions, type ServerUser } from './embedded-process.ts'

/** A server that is a child of ours and takes connections. */
export interface Server {
  port: number
  /** Settles when it has ended, for whatever reason. */
  ended: Promise<void>
  stop(): Promise<void>
}

/**
 * Stands between us and PostgreSQL. Its standard input is a pipe whose other end we hold: a line names a signal to pass
 * on, and the end of the pipe, which comes when we end in whatever way, means a fast shutdown.
 */
const guard = `
trap '' INT TERM HUP
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
( while read -r signal; do kill -s "$signal" "$server"; done; kill -s INT "$server" ) <&3 3<&- 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
ended=$?
kill -s KILL "$watcher" 2>/dev/null
exit "$ended"
`

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  // An acknowledged callback must survive a power cut.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // Statements, parameters and details contain what customers sent and what must stay secret; the service logs its own
  // failures. At the level `log`, even the bare messages of failed statements are left out.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_checkpoints: 'off',
}

const readyWithin = 300_000
const stoppedWithin = 8_000

/** Starts PostgreSQL on a free port. Throws with the last lines of its log when it ends before it is ready. */
export async function startServer(
  postgres: string,
  cluster: string,
  logFile: string,
  password: string,
  user: ServerUser | undefined,
  extra: Record<string, string> = {},
): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const options = Object.entries({ ...settings, port: String(port), ...extra }).flatMap(pair => [
      '-c',
      pair.join('='),
    ])
    const child = await spawnGuarded([postgres, '-D', cluster, ...options], logFile, user)
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
    const server = { port, ended, stop: () => stop(child, ended) }
    try {
      if (await isReady(server, child, password)) return server
    } catch (error) {
      await server.stop().catch(() => {})
      throw error
    }
    const lines = await lastLines(logFile)
    // Somebody has taken the port between our look and its bind.
    const taken = /could not bind|could not create any TCP/.test(lines)
    if (!taken || attempt === 5) throw new Error(`Its server ended before it was ready. Its log says:\n${lines}\n`)
  }
}

async function spawnGuarded(command: string[], logFile: string, user: ServerUser | undefined): Promise<ChildProcess> {
  const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } = constants
  const log = await open(logFile, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600)
  try {
    await log.chmod(0o600)
    const child = spawn('/bin/sh', ['-c', guard, 'guard', ...command], {
      ...childOptions(user),
      // A session of its own: Ctrl-C is meant for the service, which still needs its database while it shuts down.
      detached: true,
      stdio: ['pipe', log.fd, log.fd],
    })
    // The pipe breaks when the guard has ended.
    child.stdin?.on('error', () => {})
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    return child
  } finally {
    await log.close()
  }
}

/** False when it has ended instead. */
async function isReady(server: Server, child: ChildProcess, password: string): Promise<boolean> {
  const since = Date.now()
  for (;;) {
    if (hasEnded(child)) return false
    try {
      await (await connect({ port: server.port, password }, 'postgres')).end()
      return true
    } catch (error) {
      const code = (error as { code?: string }).code ?? ''
      // 28...: the password or the user is wrong, unless a stranger has our port and our server is about to end.
      const refused =
        code.startsWith('28') && !(await Promise.race([server.ended.then(() => true), sleep(1_000, false)]))
      if (refused) throw new Error('Its cluster does not take the password in postgres-password. Put that file back.')
      if (Date.now() - since > readyWithin) throw new Error('It was not ready within five minutes.', { cause: error })
    }
    await Promise.race([server.ended, sleep(25)])
  }
}

/** A fast shutdown, and when that takes too long an immediate one, after which the next start recovers. */
async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  for (const signal of ['INT', 'QUIT']) {
    if (hasEnded(child)) return
    child.stdin?.write(`${signal}\n`)
    const timeOut = new AbortController()
    await Promise.race([ended, sleep(stoppedWithin, undefined, { signal: timeOut.signal }).catch(() => {})])
    timeOut.abort()
  }
  if (!hasEnded(child)) throw new Error('The embedded PostgreSQL did not stop.')
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

export async function lastLines(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '')
  return text.trim().split('\n').slice(-10).join('\n')
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}
