import { execFile, spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'

/** The account PostgreSQL runs under when we are root, because it refuses root. */
export interface ServerUser {
  name: string
  uid: number
  gid: number
}

/**
 * The user to run PostgreSQL as; `undefined` means ourselves. Root hands it to the owner of the existing cluster, else
 * to `postgres`, else to `nobody`; no account is created.
 */
export async function findServerUser(cluster: string): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const owner = await stat(cluster).catch(() => undefined)
  if (owner && owner.uid !== 0) return { name: `user ${owner.uid}`, uid: owner.uid, gid: owner.gid }
  const user = (await findAccount('postgres')) ?? (await findAccount('nobody'))
  if (!user) throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as.')
  return user
}

/**
 * The whole environment of every child: ours contains secrets, and the locale decides the language of error messages.
 */
const environment = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' }

/** Our working directory may be one that the server's user can't enter, so children start in the root directory. */
export function childOptions(user: ServerUser | undefined) {
  // Node takes signed ids here and unsigned ones in chown; macOS has `nobody` at -2.
  return { cwd: '/', env: environment, ...(user && { uid: user.uid | 0, gid: user.gid | 0 }) }
}

/** Runs a command to its end as that user. Its output is meant for messages. */
export async function runAs(
  user: ServerUser | undefined,
  command: string,
  args: string[],
): Promise<{ ok: boolean; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...childOptions(user), stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', chunk => {
      output += chunk
    })
    child.stderr.on('data', chunk => {
      output += chunk
    })
    child.once('error', reject)
    child.once('close', code => resolve({ ok: code === 0, output: output.trim() }))
  })
}

/**
 * Whether that user can enter the folder. Only the system can tell, with its groups, access lists and parent folders.
 */
export async function canEnter(user: ServerUser | undefined, folder: string): Promise<boolean> {
  return (await runAs(user, '/bin/sh', ['-c', 'test -x "$1"', 'sh', folder])).ok
}

async function findAccount(name: string): Promise<ServerUser | undefined> {
  const run = promisify(execFile)
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(which => run('id', [which, name], { env: environment })))
    return { name, uid: Number(uid?.stdout) >>> 0, gid: Number(gid?.stdout) >>> 0 }
  } catch {
    return undefined
  }
}
