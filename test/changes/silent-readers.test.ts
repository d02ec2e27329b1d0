import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { until } from '../fixtures/carrier.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startTestService, type TestService } from '../fixtures/service.ts'

/** With this a connection that says nothing is cut after some six seconds. */
const hasty = { REQUEST_TIMEOUT: '1s' }

/** All that a stream says, and whether it still goes on. */
function listen(t: Test, service: TestService, query = '') {
  const heard = { text: '', ended: false }
  const request = http.get(`${service.url}/v1/changes/stream${query}`, { agent: false }, response => {
    response.setEncoding('utf8').on('data', text => (heard.text += text))
    response.on('close', () => (heard.ended = true)).on('error', () => undefined)
  })
  request.on('error', () => (heard.ended = true))
  t.teardown(() => request.destroy())
  return heard
}

t.test('a reader may wait for longer than a silent connection lasts, and a stream is told that it lives', async t => {
  const service = await startTestService(t, hasty)
  const [quiet, busy] = [listen(t, service), listen(t, service, `?iccid=${device(1).iccid}`)]
  const waiting = service.get('/v1/changes?after=now&wait=8')
  t.match(await waiting, { status: 200, body: { items: { length: 0 } } })
  // What others change is no word to the one who asks for something else.
  for (let n = 2; n < 9; n += 1) {
    await service.callback(makeCallback({ requestId: `of-others-${n}`, ...device(n) }))
    await sleep(1_000)
  }
  await until(
    () => busy.text,
    text => text.includes('still here'),
  )
  t.notOk(busy.ended)
  const [begun, later] = [...busy.text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)
  t.match(busy.text, /^: still here\nid: .*\n\n/m)
  t.not(later, begun, 'it need not come back to a place from before what others changed, and may be deleted')
  await service.callback(makeCallback({ requestId: 'at-last', ...device(1) }))
  await until(
    () => [quiet, busy].map(({ text }) => text),
    texts => texts.every(text => text.includes(device(1).iccid)),
  )
})

t.test('a stream that meets what it can not read ends, so that its reader comes again', async t => {
  const service = await startTestService(t)
  await service.callback(makeCallback({ requestId: 'before', ...device(1) }))
  // It was there before this one, which reads it from the database, when the stream has begun.
  const replica = await startTestService(t, { DATABASE_URL: service.databaseUrl })
  await service.sql("update changes set at = 'infinity'")
  const heard = listen(t, replica)
  await until(
    () => heard.ended,
    ended => ended,
  )
  t.match(heard.text, /^: connected/)
  await service.sql('update changes set at = now()')
  const again = listen(t, replica)
  await until(
    () => again.text,
    text => text.includes(device(1).iccid),
  )
})
