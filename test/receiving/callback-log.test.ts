import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type LoggedCallback, logCallbacks } from '../../src/receiving/callback-log.ts'

type Line = { fields: object; message: string }

function collect() {
  const lines: Line[] = []
  const info = (fields: object, message: string) => void lines.push({ fields, message })
  return { lines, log: { info } }
}

const callback = (verdict: LoggedCallback['verdict']): LoggedCallback => ({
  callbackId: 'id',
  verdict,
  service: 'CarrierService',
  ms: 1,
})

t.test('of a flood so many have a line a second, and the others are told as a number by verdict', async t => {
  const { lines, log } = collect()
  const write = logCallbacks(log, 3)
  for (let n = 0; n < 10; n += 1) write(log, callback(n % 2 === 0 ? 'applied' : 'repeated'))
  t.equal(lines.length, 3)
  const written = performance.now()
  while (lines.length < 4) await sleep(20)
  t.strictSame(lines.at(3), {
    fields: { callbacks: { repeated: 4, applied: 3 } },
    message: 'further callbacks of one second',
  })
  // A timer may be early by a millisecond.
  while (performance.now() - written < 1_000) await sleep(1)
  write(log, callback('unmatched'))
  t.match(lines.at(4), { fields: { verdict: 'unmatched' }, message: 'callback' }, 'and then each again')
})

t.test('each can have a line', async t => {
  const { lines, log } = collect()
  const write = logCallbacks(log, Number.POSITIVE_INFINITY)
  for (let n = 0; n < 1_000; n += 1) write(log, callback('applied'))
  t.equal(lines.length, 1_000)
})
