import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { startEmbeddedPostgres } from '../../src/database/embedded.ts'
import { findBinaries } from '../../src/database/embedded-binaries.ts'
import { findCluster, removeDataDirectory } from '../../src/database/embedded-cluster.ts'
import { findPostmaster } from '../../src/database/embedded-predecessor.ts'
import { canEnter, findServerUser } from '../../src/database/embedded-process.ts'
import { startEmbedded } from '../../src/database/start-embedded.ts'
import { childProcesses, parentProcesses } from '../fixtures/parent-processes.ts'

const weAreRoot = process.getuid?.() === 0
const holder = join(import.meta.dirname, '..', 'fixtures', 'hold-embedded-postgres.ts')
const ordinaryUser = await findOrdinaryUser()

// they wait more than they work
t.jobs = 4

t.test('what was committed is there at the next start', async t => {
  const dataDir = await newDataDirectory(t)
  const first = await startEmbeddedPostgres({ dataDir })
  t.match(first.url, /^postgres:\/\/[^@]+@127\.0\.0\.1:\d+\/thingspace$/)
  await query(first.url, 'create table kept as select 7 as number')
  await Promise.all([first.stop(), first.stop()])
  t.notOk(await postmaster(dataDir), 'stop() returns when the server has ended')

  const second = await startEmbeddedPostgres({ dataDir })
  t.teardown(() => second.stop())
  t.strictSame(await query(second.url, 'select number from kept'), [{ number: 7 }])
})

t.test('only this user on this machine can reach it', async t => {
  const dataDir = await newDataDirectory(t)
  const postgres = await startEmbeddedPostgres({ dataDir, settings: { work_mem: '5MB' } })
  t.teardown(() => postgres.stop())
  for (const [setting, value] of Object.entries({
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    server_encoding: 'UTF8',
    data_checksums: 'on',
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    work_mem: '5MB',
  })) {
    t.strictSame(await query(postgres.url, `select current_setting('${setting}') as is`), [{ is: value }], setting)
  }
  for (const name of ['postgres-password', 'postgres.log']) {
    t.equal((await stat(join(dataDir, name))).mode & 0o777, 0o600, `${name} is for us alone`)
  }
  const stranger = new URL(postgres.url)
  stranger.password = 'guessed'
  await t.rejects(query(stranger.href, 'select 1'), { code: '28P01' })
})

t.test('it has connections for as many processes as share it', async t => {
  const postgres = await startEmbedded(await newDataDirectory(t), () => undefined, 8)
  t.teardown(() => postgres.stop())
  t.strictSame(await query(postgres.url, 'show max_connections'), [{ max_connections: '220' }])
})

t.test('what a failed statement carried is not in the log', async t => {
  const dataDir = await newDataDirectory(t)
  const postgres = await startEmbeddedPostgres({ dataDir })
  t.teardown(() => postgres.stop())
  await query(postgres.url, 'create table secrets (word text primary key)')
  await query(postgres.url, "insert into secrets values ('xyzzy')")
  await t.rejects(query(postgres.url, "insert into secrets values ('xyzzy')"), { code: '23505' })
  await t.rejects(query(postgres.url, 'select $1::int', ['xyzzy']), { code: '22P02' })
  t.notMatch(await readFile(join(dataDir, 'postgres.log'), 'utf8'), 'xyzzy')
})

t.test('it ends with its service, even when that is killed', async t => {
  const dataDir = await newDataDirectory(t)
  const service = await startHolder(t, dataDir)
  await query(service.url, 'create table kept as select 7 as number')
  service.process.kill('SIGKILL')
  await until(async () => !(await postmaster(dataDir)), 'PostgreSQL has gone')

  const next = await startEmbeddedPostgres({ dataDir })
  t.teardown(() => next.stop())
  t.strictSame(await query(next.url, 'select number from kept'), [{ number: 7 }])
})

t.test('a server that was left behind is stopped by the next start', async t => {
  const dataDir = await newDataDirectory(t)
  const service = await startHolder(t, dataDir)
  await query(service.url, 'create table kept as select 7 as number')
  const orphan = await postmaster(dataDir)
  // both halves of the guard, so that nothing is left that would stop it
  for (const pid of await guardsOf(orphan?.pid)) process.kill(pid, 'SIGKILL')
  service.process.kill('SIGKILL')
  await once(service.process, 'exit')
  t.same(await postmaster(dataDir), orphan, 'it still runs')

  const lines: string[] = []
  const next = await startEmbeddedPostgres({ dataDir, log: line => lines.push(line) })
  t.teardown(() => next.stop())
  t.match(lines, [/left behind/])
  t.strictSame(await query(next.url, 'select number from kept'), [{ number: 7 }])
})

t.test('a second service on the same data directory is refused, and the first goes on', async t => {
  const dataDir = await newDataDirectory(t)
  const first = await startEmbeddedPostgres({ dataDir })
  t.teardown(() => first.stop())
  const second = await startHolder(t, dataDir).catch(error => error)
  for (const part of [dataDir, 'Another running service', 'Stop that one first', 'set DATABASE_URL']) {
    t.match(second.message, part)
  }
  t.strictSame(await query(first.url, 'select 1 as one'), [{ one: 1 }])
})

t.test('of first starts at the same time one succeeds and the others are refused', async t => {
  const dataDir = await newDataDirectory(t)
  const starts = await Promise.allSettled([1, 2, 3].map(() => startEmbeddedPostgres({ dataDir })))
  const started = starts.flatMap(start => (start.status === 'fulfilled' ? [start.value] : []))
  const refused = starts.flatMap(start => (start.status === 'rejected' ? [start.reason.message] : []))
  t.teardown(() => Promise.all(started.map(postgres => postgres.stop())))
  t.equal(started.length, 1)
  t.match(refused, [/Another running service/, /Another running service/])
  t.strictSame(await query(started[0]?.url ?? '', 'select 1 as one'), [{ one: 1 }])
  t.notMatch((await readdir(dataDir)).join(), 'postgres.new', 'nothing is left of the losers')
})

t.test('a first start that was killed does not block the next', async t => {
  const dataDir = await newDataDirectory(t)
  const service = spawnHolder(t, dataDir)
  const unfinished = () => readdir(dataDir).then(names => names.find(name => name.startsWith('postgres.new-')))
  await until(async () => {
    const scratch = await unfinished().catch(() => undefined)
    return scratch && (await stat(join(dataDir, scratch, 'cluster', 'global')).catch(() => undefined))
  }, 'initdb is at work')
  // the service and initdb
  if (service.pid) process.kill(-service.pid, 'SIGKILL')
  await once(service, 'exit')
  t.ok(await unfinished(), 'initdb was interrupted')

  const next = await startEmbeddedPostgres({ dataDir })
  t.teardown(() => next.stop())
  t.strictSame(await query(next.url, 'select 1 as one'), [{ one: 1 }])
  t.notOk(await unfinished(), 'what it left is gone')
})

t.test('a stale postmaster.pid with the number of a process that lives does not block the start', async t => {
  const dataDir = await newDataDirectory(t)
  await (await startEmbeddedPostgres({ dataDir })).stop()
  await writeFile(join(dataDir, 'postgres', 'postmaster.pid'), `${process.pid}\n${dataDir}/postgres\n1\n5432\n\n\n`)
  const postgres = await startEmbeddedPostgres({ dataDir })
  t.teardown(() => postgres.stop())
  t.strictSame(await query(postgres.url, 'select 1 as one'), [{ one: 1 }])
})

t.test('a setting that PostgreSQL does not take is shown from its log', async t => {
  const dataDir = await newDataDirectory(t)
  const start = startEmbeddedPostgres({ dataDir, settings: { max_connections: 'many' } })
  await t.rejects(start, /max_connections[\s\S]*set DATABASE_URL/)
  t.notOk(await postmaster(dataDir))
})

t.test('a lost password file is named', async t => {
  const dataDir = await newDataDirectory(t)
  await (await startEmbeddedPostgres({ dataDir })).stop()
  await writeFile(join(dataDir, 'postgres-password'), 'another\n')
  await t.rejects(startEmbeddedPostgres({ dataDir }), /postgres-password[\s\S]*set DATABASE_URL/)
  t.notOk(await postmaster(dataDir), 'the server it tried does not stay')
})

t.test('a machine without the programs is told how to get them', async t => {
  await t.rejects(findBinaries('plan9-vax'), /plan9-vax are not installed.*development dependencies/)
})

t.test('root can keep its data where nobody else can enter', { skip: !weAreRoot && 'needs root' }, async t => {
  const closed = await mkdtemp(join(tmpdir(), 'thingspace-closed-'))
  const dataDir = join(closed, 'data')
  t.teardown(() => removeDataDirectory(dataDir).then(() => removeDataDirectory(closed)))
  const lines: string[] = []
  const first = await startEmbeddedPostgres({ dataDir, log: line => lines.push(line) })
  t.match(lines, [`${dataDir}/postgres links to it`])
  t.ok((await lstat(join(dataDir, 'postgres'))).isSymbolicLink())
  await query(first.url, 'create table kept as select 7 as number')
  await first.stop()

  const second = await startEmbeddedPostgres({ dataDir })
  t.strictSame(await query(second.url, 'select number from kept'), [{ number: 7 }])
  await second.stop()

  await rm(dirname(await clusterFolder(dataDir)), { recursive: true })
  await t.rejects(startEmbeddedPostgres({ dataDir }), /is gone\. Put it back, or remove .*set DATABASE_URL/)
})

t.test('an ordinary user needs nobody else', { skip: ordinaryUser === undefined && 'no other user to be' }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'thingspace-user-'))
  await chmod(folder, 0o777)
  const dataDir = join(folder, 'data')
  t.teardown(() => removeDataDirectory(dataDir).then(() => removeDataDirectory(folder)))
  const service = await startHolder(t, dataDir, ordinaryUser)
  t.strictSame(await query(service.url, 'select 1 as one'), [{ one: 1 }])
  t.equal((await stat(dataDir)).uid, ordinaryUser?.uid)
  service.process.kill('SIGKILL')
  await until(async () => !(await postmaster(dataDir)), 'PostgreSQL has gone')
})

/** Somebody for root to be, if the checkout is open to others. When we are not root every test is of an ordinary user. */
async function findOrdinaryUser() {
  const user = await findServerUser('')
  if (!user) return undefined
  const open = await Promise.all([process.execPath, import.meta.dirname].map(path => canEnter(user, path)))
  return open.includes(false) ? undefined : user
}

async function newDataDirectory(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'thingspace-embedded-'))
  await chmod(folder, 0o711)
  t.teardown(() => removeDataDirectory(folder))
  const dataDir = join(folder, 'data')
  await mkdir(dataDir, { mode: 0o711 })
  return dataDir
}

/** A service that is a process of its own and leads a process group. */
function spawnHolder(t: Test, dataDir: string, user: { uid?: number; gid?: number } = {}): ChildProcess {
  const service = spawn(process.execPath, [holder, dataDir], {
    ...user,
    detached: true,
    cwd: '/',
    env: {},
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => service.kill('SIGKILL'))
  return service
}

async function startHolder(t: Test, dataDir: string, user?: { uid: number; gid: number }) {
  const service = spawnHolder(t, dataDir, user)
  let said = ''
  service.stdout?.on('data', chunk => {
    said += chunk
  })
  await until(async () => said.startsWith('postgres:') || service.exitCode !== null, 'the service has started')
  if (!said.startsWith('postgres:')) throw new Error(said)
  return { process: service, url: said.trim() }
}

async function query(url: string, statement: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  // the server may go away under a client that is about to end
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(statement, values)).rows
  } finally {
    await client.end()
  }
}

async function postmaster(dataDir: string) {
  return findPostmaster(await clusterFolder(dataDir))
}

async function clusterFolder(dataDir: string): Promise<string> {
  return (await findCluster(dataDir)) ?? dataDir
}

/** The shells that watch over a server: its parent, and that one's other child. */
async function guardsOf(pid = 0): Promise<number[]> {
  const guard = (await parentProcesses()).get(pid)
  if (guard === undefined) throw new Error('nothing watches over it')
  return [...(await childProcesses(guard)).filter(child => child !== pid), guard]
}

async function until(condition: () => Promise<unknown>, what: string): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await sleep(20)
  }
}
