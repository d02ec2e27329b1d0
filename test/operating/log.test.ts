import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { childEnvironment } from '../fixtures/child-environment.ts'

const full = '/dev/full'
const log = path.join(import.meta.dirname, '..', '..', 'src', 'log.ts')

/** Logs in turns of its own, so that each line meets what became of the one before. */
const program = `
  import { setTimeout as sleep } from 'node:timers/promises'
  import { createLog } from ${JSON.stringify(log)}
  const log = createLog('info')
  for (let n = 0; n < 5; n += 1) {
    log.info('a line')
    await sleep(20)
  }
  process.stderr.write('still here')
  process.exit(0)
`

t.test('a log that can not be written ends no process, and lets it leave', { skip: !existsSync(full) }, async t => {
  const output = await open(full, 'w')
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: childEnvironment({}),
    stdio: ['ignore', output.fd, 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr?.on('data', data => (said += data))
  const [code] = await once(child, 'close')
  await output.close()
  t.strictSame({ code, said }, { code: 0, said: 'still here' })
})
