import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { generateClient } from '../fixtures/generate-client.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService, type TestService, takeTestService } from '../fixtures/service.ts'

const root = path.join(import.meta.dirname, '..', '..')
const bearer = { authorization: 'Bearer secret' }

async function start(t: Test) {
  const taker = await takeTestService(t)
  const digest = createHash('sha256').update('secret').digest('hex')
  const service = await startTestService(t, {
    DATABASE_URL: taker.databaseUrl,
    API_TOKENS: `reader:read:${account}:${digest}`,
  })
  return { taker, service }
}

/** A folder as a consumer would have it: the program, the generated types, the packages. */
async function consumer(t: Test, service: TestService): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'consumer-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  await copyFile(path.join(root, 'test', 'examples', 'follow.ts'), path.join(folder, 'follow.ts'))
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(path.join(folder, 'thingspace.d.ts'), await generateClient((await service.get('/openapi.json')).body))
  return folder
}

/** What the compiler has to say of these files; nothing when they are right. */
async function typeErrors(folder: string): Promise<string[]> {
  const { compilerOptions } = JSON.parse(await readFile(path.join(root, 'tsconfig.json'), 'utf8'))
  const config = { compilerOptions: { ...compilerOptions, skipLibCheck: false }, include: ['*.ts'] }
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify(config))
  const compiler = path.join(root, 'node_modules', 'typescript', 'lib', 'tsc.js')
  try {
    await promisify(execFile)(process.execPath, [compiler, '-p', folder], { cwd: folder })
    return []
  } catch (error) {
    const lines = (error as { stdout: string }).stdout.split('\n').filter(line => line.includes('error TS'))
    if (lines.length === 0) throw error
    return lines
  }
}

t.test('a client generated from the document knows routes, parameters and answers by their types', async t => {
  const folder = await consumer(t, await takeTestService(t))
  await writeFile(
    path.join(folder, 'wrong.ts'),
    `import createClient from 'openapi-fetch'
import type { paths } from './thingspace.d.ts'
const client = createClient<paths>({ baseUrl: '' })
await client.GET('/v1/no-such-route')
await client.GET('/v1/profiles/{iccid}', { params: { path: { id: '' } } })
await client.GET('/v1/activations', { params: { query: { status: 'no-such-status' } } })
await client.POST('/v1/activations', { body: { accountName: '' } })
const { data, error } = await client.GET('/v1/devices/{kind}/{id}', { params: { path: { kind: 'eid', id: '' } } })
export const wrong: number | undefined = data?.profiles[0]?.state
export const right: [string | null | undefined, string | undefined] = [data?.profiles[0]?.state, error?.errorMessage]
`,
  )
  const errors = await typeErrors(folder)
  t.strictSame(
    errors.map(line => /^(\w+\.ts\(\d+)/.exec(line)?.[1]),
    ['wrong.ts(4', 'wrong.ts(5', 'wrong.ts(6', 'wrong.ts(7', 'wrong.ts(9'],
    errors.join('\n'),
  )
})

t.test('the program of the README loses no change when it is killed and started again', async t => {
  const { taker, service } = await start(t)
  const folder = await consumer(t, service)
  t.strictSame(await typeErrors(folder), [])
  const change = (n: number) => taker.callback(makeCallback({ requestId: `request-${n}`, ...device(n) }))
  const cursors = async () =>
    (await service.get('/v1/changes?limit=1000', bearer)).body.items.map((item: { cursor: string }) => item.cursor)

  const seen: string[] = []
  const program = run(t, folder, service, seen)
  for (let n = 0; n < 5; n += 1) await change(n)
  await program.printed(5)
  program.child.kill('SIGKILL')
  await once(program.child, 'exit')
  for (let n = 5; n < 12; n += 1) await change(n)
  const again = run(t, folder, service, seen)
  await again.printed(12)
  await change(12)
  await again.printed(13)
  t.strictSame([...new Set(seen.map(line => line.split(' ')[0]))], await cursors(), 'each one, in order')
  t.match(seen.at(-1), new RegExp(`profile request-12 ${device(12).iccid} ACTIVE LEAD$`))
})

t.test('the program of the README keeps no cursor of a change whose profile it could not ask for', async t => {
  const folder = await consumer(t, await takeTestService(t))
  const server = http.createServer((request, response) => {
    const isFeed = request.url?.startsWith('/v1/changes') === true
    response.writeHead(isFeed ? 200 : 503, { 'content-type': 'application/json' })
    const item = { cursor: 'one', kind: 'profile', requestId: null, iccid: device(1).iccid }
    response.end(JSON.stringify(isFeed ? { items: [item], cursor: 'one' } : { errorCode: '503', errorMessage: '' }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const seen: string[] = []
  const program = run(t, folder, { url: `http://127.0.0.1:${port}` }, seen)
  await t.rejects(program.printed(1), { message: /it ended with 1: .*503/s })
  t.strictSame(seen, [])
  t.notOk(await readFile(path.join(folder, 'cursor')).catch(() => null))
})

t.test('the program of the README ends with the reason when its token is not known', async t => {
  const { service } = await start(t)
  const folder = await consumer(t, service)
  const program = run(t, folder, service, [], 'revoked')
  await t.rejects(program.printed(1), { message: /it ended with 1: .*the token is not known, or was revoked/s })
})

/** Runs the program; what it printed is kept across runs, and one that comes again counts once. */
function run(t: Test, cwd: string, service: Pick<TestService, 'url'>, seen: string[], token = 'secret') {
  const env = { PATH: process.env.PATH ?? '', SERVICE_URL: service.url, TOKEN: token }
  const child: ChildProcess = spawn(process.execPath, ['follow.ts'], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let wake = () => {}
  let errors = ''
  child.stderr?.on('data', data => (errors += data))
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on('line', line => {
      seen.push(line)
      wake()
    })
  const printed = (count: number) =>
    new Promise<void>((resolve, reject) => {
      wake = () => (new Set(seen).size >= count ? resolve() : undefined)
      child.once('exit', code => reject(new Error(`it ended with ${code}: ${errors}`)))
      wake()
    })
  return { child, printed }
}

t.test('the README shows the very program that is tried here', async t => {
  const readme = await readFile(path.join(root, 'README.md'), 'utf8')
  const [, section] = readme.split('\n## For those who ask\n')
  const [, shown] = /```ts\n(.*?)```/s.exec(section?.split('\n## ')[0] ?? '') ?? []
  t.equal(shown, await readFile(path.join(root, 'test', 'examples', 'follow.ts'), 'utf8'))
})
