import t from 'tap'
import { nextCallbackId } from '../../src/receiving/callback-id.ts'

t.test('ids are UUIDv7, each once, in the order in which they are given', async t => {
  const before = Date.now()
  const ids = Array.from({ length: 20_000 }, nextCallbackId)
  t.strictSame(ids.toSorted(), ids)
  t.equal(new Set(ids).size, ids.length)
  t.equal(new Set(ids.map(id => id.slice(-8))).size > 19_900, true, 'their ends are random')
  for (const id of [ids[0], ids.at(-1)]) {
    t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const at = Number.parseInt(`${id}`.replaceAll('-', '').slice(0, 12), 16)
    t.ok(at >= before && at <= Date.now() + 5)
  }
})

t.test('a clock that goes back does not bring ids out of order', async t => {
  const real = Date.now
  t.teardown(() => {
    Date.now = real
  })
  const before = nextCallbackId()
  Date.now = () => real() - 60_000
  const ids = [before, nextCallbackId(), nextCallbackId()]
  t.strictSame(ids.toSorted(), ids)
})
