import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { describeError } from '../../src/log.ts'
import { CarrierError } from '../../src/thingspace/carrier-error.ts'
import { childEnvironment } from '../fixtures/child-environment.ts'

const full = '/dev/full'
const source = path.join(import.meta.dirname, '..', '..', 'src', 'log.ts')

/** Logs in turns of its own, so that each line meets what became of the one before. */
const program = `
  import { setTimeout as sleep } from 'node:timers/promises'
  import { createLog } from ${JSON.stringify(source)}
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

t.test('the fields of an error tell as much as the error, and no more', async t => {
  const error = Object.assign(new Error('a value'), { code: '57P01', detail: 'a value' })
  const copy = { ...error, message: error.message, stack: error.stack, queue: 'inbox' }
  t.strictSame(describeError(copy), describeError(error))
  t.notMatch(JSON.stringify(describeError(copy)), /a value/)
  t.match(describeError(copy), { code: '57P01' })
  t.strictSame(describeError({ message: 'a value' }), { name: 'object' })
})

t.test("of the carrier's errors it is told what was being done and what went wrong, in none of its words", async t => {
  const error = new CarrierError({
    kind: 'bad-answer',
    during: 'activate',
    outcome: 'unknown',
    httpStatus: 200,
    reason: 'not JSON',
    errorCode: 'a value',
    errorMessage: 'a value',
  })
  const told = { kind: 'bad-answer', during: 'activate', httpStatus: 200, reason: 'not JSON' }
  t.match(describeError(error), told)
  t.match(describeError({ ...error, message: error.message, stack: error.stack }), told)
  t.notMatch(JSON.stringify(describeError(error)), /a value/)
  const other = Object.assign(new Error('x'), { kind: 'a value', reason: 'a value' })
  t.notMatch(JSON.stringify(describeError(other)), /a value/)
})
