import t from 'tap'
import { watchDeadlyCallbacks } from '../../src/receiving/deadly-callbacks.ts'

const cutOff = new Error('Connection terminated unexpectedly')
const judged = (of: ReturnType<typeof watchDeadlyCallbacks>, one: string) => [of.isSuspect(one), of.isDeadly(one)]

t.test('one that ends its connection is written alone, and found when others go through in between', async t => {
  const watch = watchDeadlyCallbacks()
  watch.failed(['deadly', 'neighbour'], cutOff)
  t.strictSame(judged(watch, 'deadly'), [false, false], 'a link may break once')
  watch.committed(['neighbour'])
  watch.failed(['deadly', 'other'], cutOff)
  t.strictSame(judged(watch, 'deadly'), [true, false])
  t.strictSame(judged(watch, 'other'), [false, false])
  for (const deadly of [false, false, true]) {
    watch.committed(['other'])
    watch.failed(['deadly'], cutOff)
    t.strictSame(judged(watch, 'deadly'), [true, deadly])
  }
  watch.committed(['deadly'])
  t.strictSame(judged(watch, 'deadly'), [false, false], 'kept at last, it is forgotten')
})

t.test('while nothing goes through it is the link, however often it breaks', async t => {
  const watch = watchDeadlyCallbacks()
  watch.committed(['before'])
  for (let times = 0; times < 20; times += 1) watch.failed(['alone'], cutOff)
  t.strictSame(judged(watch, 'alone'), [true, false])
})

t.test('what the server says a word about is no crash of this one', async t => {
  const watch = watchDeadlyCallbacks()
  const others = [
    Object.assign(new Error('Connection terminated unexpectedly'), { code: '57P02' }),
    Object.assign(new Error('shutting down'), { code: '57P01' }),
    Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    new Error('Query read timeout'),
  ]
  for (const error of [...others, ...others]) {
    watch.committed(['between'])
    watch.failed(['innocent'], error)
  }
  t.strictSame(judged(watch, 'innocent'), [false, false])
  for (const code of ['ECONNRESET', 'EPIPE']) watch.failed(['cut off'], Object.assign(new Error('write'), { code }))
  t.strictSame(judged(watch, 'cut off'), [true, false])
})
