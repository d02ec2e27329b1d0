// npm run conformance: asks the service what its own document allows, and what it does not, thousands of times, and
// looks whether every answer is a documented one. Arguments go to schemathesis: npm run conformance -- --max-examples 500
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { readConfig } from '../../src/config.ts'
import { startEmbeddedPostgres } from '../../src/database/embedded.ts'
import { removeDataDirectory } from '../../src/database/embedded-cluster.ts'
import { createLog } from '../../src/log.ts'
import { type Service, startService } from '../../src/service.ts'
import { startSimulator } from '../../src/simulator/start-simulator.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'

const program = process.env.SCHEMATHESIS ?? 'schemathesis'
const account = '0000123456-00001'
const authorization = 'Bearer conformance'
/** A few minutes. */
const bounds = ['--max-examples', '30', '--max-time', '240', '--continue-on-failure']

if (spawnSync(program, ['--version']).status !== 0) {
  process.stderr.write(
    `This needs schemathesis 4, a Python program:\n  python3 -m venv .data/schemathesis && .data/schemathesis/bin/pip install 'schemathesis>=4.32'\n` +
      '  SCHEMATHESIS=.data/schemathesis/bin/schemathesis npm run conformance\n',
  )
  process.exit(2)
}

const folder = await mkdtemp(path.join(tmpdir(), 'conformance-'))
// Run by root, the server is another user, who must pass through here.
await chmod(folder, 0o711)
const dataDir = path.join(folder, 'data')
const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined })
const carrier = await startSimulator({ seed: 7, settings: { callbackAfterMs: 50, callbackSpreadMs: 50 } })
let service: Service | undefined
try {
  service = await serve(postgres.url, carrier.url)
  await fill(service.url)
  process.exitCode = await ask(service.url)
} finally {
  await service?.close()
  await carrier.close()
  await postgres.stop()
  await removeDataDirectory(dataDir)
  await rm(folder, { recursive: true, force: true })
}

async function serve(databaseUrl: string, carrierUrl: string): Promise<Service> {
  const digest = createHash('sha256').update('conformance').digest('hex')
  const config = readConfig({
    PORT: '0',
    DATABASE_URL: databaseUrl,
    SEAL_KEY: Buffer.alloc(32, 7).toString('base64'),
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'error',
    THINGSPACE_ACCOUNT: account,
    CALLBACK_USERNAME: 'listener-name',
    CALLBACK_PASSWORD: 'listener-password',
    API_TOKENS: `conformance:read,activate,operate,credentials,metrics:*:${digest}`,
    RATE_LIMIT: 'off',
    THINGSPACE_BASE_URL: carrierUrl,
    THINGSPACE_KEY: 'key',
    THINGSPACE_SECRET: 'secret',
    THINGSPACE_USERNAME: 'user',
    THINGSPACE_PASSWORD: 'right',
  })
  const started = await startService(config, createLog(config.logLevel))
  await started.opened
  return started
}

/** So that some of what is asked for is there. */
async function fill(url: string): Promise<void> {
  for (let n = 0; n < 12; n += 1) {
    const credentials = { username: 'listener-name', password: 'listener-password' }
    const message = makeCallback({ requestId: `request-${n % 5}`, ...device(n), ...credentials })
    const body = JSON.stringify(n === 11 ? { ...credentials, requestId: 7 } : message)
    await fetch(`${url}/callbacks/${account}/CarrierService`, { method: 'POST', body })
  }
}

async function ask(url: string): Promise<number> {
  const given = process.argv.slice(2)
  const config = path.join(import.meta.dirname, 'schemathesis.toml')
  const child = spawn(
    program,
    [
      '--config-file',
      config,
      'run',
      `${url}/openapi.json`,
      '-H',
      `Authorization: ${authorization}`,
      ...(given.length > 0 ? given : bounds),
    ],
    { stdio: 'inherit', cwd: folder },
  )
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => resolve(code ?? 1))
  })
}
