import t from 'tap'
import { watchDeadlyCallbacks } from '../../src/receiving/deadly-callbacks.ts'

const cutOff = new Error('Connection terminated unexpectedly')
const judged = (of: ReturnType<typeof watchDeadlyCallbacks>, one: string) => [of.isSuspect(one), of.isDeadly(one)]

t.test('one that ends its connection is written alone, and found when its mere bytes are taken each time', async t => {
  const watch = watchDeadlyCallbacks()
  watch.failed(['deadly', 'neighbour'], cutOff, false)
  t.strictSame(judged(watch, 'deadly'), [false, false], 'a link may break once')
  watch.committed(['neighbour'])
  watch.failed(['deadly', 'other'], cutOff, false)
  t.strictSame(judged(watch, 'deadly'), [true, false])
  t.strictSame(judged(watch, 'other'), [false, false])
  for (const deadly of [false, false, true]) {
    watch.failed(['deadly'], cutOff, true)
    t.strictSame(judged(watch, 'deadly'), [true, deadly])
  }
  watch.committed(['deadly'])
  t.strictSame(judged(watch, 'deadly'), [true, true], 'kept in another form, it comes again as it was')
  watch.failed(['innocent'], cutOff, false)
  for (let times = 0; times < 2; times += 1) watch.failed(['innocent'], cutOff, true)
  watch.committed(['innocent'])
  t.strictSame(judged(watch, 'innocent'), [false, false], 'kept as it is, it is forgotten')
})

t.test('while not even its bytes are taken it is the link, however often it breaks', async t => {
  const watch = watchDeadlyCallbacks()
  for (let times = 0; times < 20; times += 1) watch.failed(['alone'], cutOff, false)
  t.strictSame(judged(watch, 'alone'), [true, false])
})

t.test('what the server says a word about is no crash of this one', async t => {
  const watch = watchDeadlyCallbacks()
  const others = [
    Object.assign(new Error('Connection terminated unexpectedly'), {
      code: '57P02',
    }),
    Object.assign(new Error('shutting down'), { code: '57P01' }),
    Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    new Error('Query read timeout'),
  ]
  for (const error of [...others, ...others]) {
    watch.failed(['innocent'], error, true)
  }
  t.strictSame(judged(watch, 'innocent'), [false, false])
  for (const code of ['ECONNRESET', 'EPIPE']) {
    watch.failed(['cut off'], Object.assign(new Error('write'), { code }), false)
  }
  t.strictSame(judged(watch, 'cut off'), [true, false])
})
