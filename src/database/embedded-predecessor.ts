import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Binaries } from './embedded-binaries.ts'
import { isOwned, takeOwnership } from './embedded-owner.ts'
import { runAs, type ServerUser } from './embedded-process.ts'

/** Long enough for a server that has just become ready to be claimed by the service that started it. */
const claimedWithin = 3_000
const goneWithin = 60_000

/** The postmaster that runs on this cluster, if one does. */
export async function findPostmaster(cluster: string): Promise<{ pid: number; port: number } | undefined> {
  const file = join(cluster, 'postmaster.pid')
  const content = await readFile(file, 'utf8').catch(error => {
    if (error.code !== 'ENOENT') throw error
  })
  if (!content) return undefined
  const lines = content.split('\n')
  const pid = Number(lines[0])
  if (!isAlive(pid)) return undefined
  if ((await commandLine(pid)).includes(cluster)) return { pid, port: Number(lines[3]) }
  // The process id belongs to another process by now, as it does after the restart of a container. PostgreSQL only
  // checks whether such a process lives, and would not start.
  if ((await readFile(file, 'utf8').catch(() => '')) === content) await rm(file, { force: true })
  return undefined
}

/**
 * Returns when no server runs on the cluster: waits for one that is stopping, and stops one whose service has died.
 * Throws when it belongs to a service that lives.
 */
export async function makeWay(
  cluster: string,
  password: string,
  binaries: Binaries,
  user: ServerUser | undefined,
  log: (line: string) => void,
): Promise<void> {
  const since = Date.now()
  let ownerless: number | undefined
  for (;;) {
    const running = await findPostmaster(cluster)
    if (!running) return
    const state = await look({ port: running.port, password })
    if (state === 'owned') throw inUse(running)
    if (state === 'closed') throw locked(running)
    ownerless = state === 'ownerless' ? (ownerless ?? Date.now()) : undefined
    if (ownerless && Date.now() - ownerless > claimedWithin) {
      // Whoever takes the lock may stop it, so of two newcomers one proceeds.
      const ownership = await takeOwnership({ port: running.port, password }).catch(() => undefined)
      if (!ownership && (await findPostmaster(cluster))) throw inUse(running)
      log(`Stopping the PostgreSQL (process ${running.pid}) that an earlier run has left behind.`)
      await stopPostmaster(cluster, binaries, user).finally(() => ownership?.release())
    } else if (Date.now() - since > goneWithin) {
      throw new Error(
        `Its server (process ${running.pid}) has been starting or stopping for a minute. Try again later.`,
      )
    }
    await sleep(50)
  }
}

export async function stopPostmaster(cluster: string, binaries: Binaries, user: ServerUser | undefined): Promise<void> {
  const args = ['stop', '--pgdata', cluster, '--mode', 'fast', '--wait', '--timeout', '60']
  const { ok, output } = await runAs(user, binaries.pg_ctl, args)
  if (!ok && (await findPostmaster(cluster))) throw new Error(`Its server could not be stopped:\n${output}\n`)
}

/** The error when a living service uses the data directory. */
export function inUse(running: { pid: number } | undefined): Error {
  const server = running ? ` (PostgreSQL process ${running.pid})` : ''
  return new Error(
    `Another running service uses this data directory${server}. Stop that one first, or give this one a data directory of its own.`,
  )
}

function locked(running: { pid: number; port: number }): Error {
  return new Error(
    `A PostgreSQL that refuses the password in postgres-password runs on it (process ${running.pid}, port ${running.port}). Stop that process, or put its password back.`,
  )
}

async function look(address: { port: number; password: string }) {
  try {
    return (await isOwned(address)) ? 'owned' : 'ownerless'
  } catch (error) {
    const code = (error as { code?: string }).code
    // There is no room even for a superuser: somebody is working with it.
    if (code === '53300') return 'owned'
    // 28P01 and 28000: the password or the user is wrong.
    return code?.startsWith('28') ? 'closed' : 'away'
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Empty for a zombie: a process that has ended but has not been reaped. */
async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  }
  const ps = promisify(execFile)('/bin/ps', ['-ww', '-o', 'command=', '-p', String(pid)])
  return ps.then(
    ({ stdout }) => stdout,
    () => '',
  )
}
