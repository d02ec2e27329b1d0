import t from 'tap'
import { admitEarly } from '../../src/receiving/admit-early.ts'
import type { CallbackWriter } from '../../src/receiving/callback-writer.ts'
import { StoreBusy } from '../../src/receiving/store-errors.ts'

/** Commits nothing until it is told to. */
function slowWriter(): { slow: CallbackWriter; pending: (() => void)[] } {
  const pending: (() => void)[] = []
  const slow: CallbackWriter = {
    store: () =>
      new Promise(resolve => pending.push(() => resolve({ callbackId: 'x', verdict: 'applied', unknownFields: [] }))),
    depth: () => pending.length,
    drained: async () => undefined,
  }
  return { slow, pending }
}

t.test('no more are let in than can be committed in time', async t => {
  const { slow, pending } = slowWriter()
  let clock = 0
  const writer = admitEarly(slow, () => clock)
  const store = () => writer.store({} as Parameters<CallbackWriter['store']>[0])
  const come = (count: number) => Promise.all(Array.from({ length: count }, store))
  const commit = async (count: number) => {
    for (const resolve of pending.splice(0, count)) resolve()
    await new Promise(setImmediate)
  }

  const held = [come(1_000)]
  await t.rejects(store(), StoreBusy, 'at first, a number that suits most')
  t.equal(pending.length, 1_000, 'the writer is not bothered with it')
  for (clock = 100; clock <= 2_000; clock += 100) {
    await commit(50)
    if (!writer.isFull()) held.push(come(50))
  }
  t.equal(writer.isFull(), true, '500 a second: then 300 may wait')
  await commit(pending.length - 300)
  await t.rejects(store(), StoreBusy)
  await commit(1)
  held.push(come(1))
  await commit(300)
  await Promise.all(held)

  const burst = come(300)
  await t.rejects(store(), StoreBusy, 'what it learned holds while nothing else is known')
  await commit(300)
  await burst
})

t.test('a number that was learned in a bad second grows again when nearly none are left waiting', async t => {
  const { slow, pending } = slowWriter()
  let clock = 0
  const writer = admitEarly(slow, () => clock)
  const fill = () => {
    let count = 0
    for (; !writer.isFull(); count += 1) void writer.store({} as Parameters<CallbackWriter['store']>[0])
    return count
  }
  const commitAll = async () => {
    for (const resolve of pending.splice(0)) resolve()
    await new Promise(setImmediate)
  }
  const second = () => (clock += 1_000)

  t.equal(fill(), 1_000)
  second()
  fill()
  second()
  fill()
  await commitAll()
  t.equal(fill(), 256, 'nothing was committed for a second in which 1,000 waited')
  for (const next of [512, 1_024, 2_048]) {
    await commitAll()
    second()
    t.equal(fill(), next, 'all were committed at once, and others refused before')
  }
  await commitAll()
  second()
  t.equal(writer.isFull(), false)
  second()
  t.equal(fill(), 4_096, 'one second in which some were refused, and one in which none were')
})

t.test('while the process itself is behind, no more than keep its transactions full', async t => {
  let behind = true
  let refused = 0
  const loop = { isBehind: () => behind, refused: () => (refused += 1) }
  const never: CallbackWriter = { store: () => new Promise(() => undefined), depth: () => 0, drained: async () => {} }
  const writer = admitEarly(never, () => 0, loop)
  for (let n = 0; n < 512; n += 1) void writer.store({} as Parameters<CallbackWriter['store']>[0])
  t.equal(writer.isFull(), true)
  t.equal(refused, 1)
  behind = false
  t.equal(writer.isFull(), false)
})
