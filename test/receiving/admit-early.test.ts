import t from 'tap'
import { admitEarly } from '../../src/receiving/admit-early.ts'
import { type CallbackWriter, StoreBusy } from '../../src/receiving/callback-writer.ts'

t.test('when many wait in vain, the next one is refused at once; when they are through, it is taken', async t => {
  const pending: (() => void)[] = []
  let clock = 0
  const slow: CallbackWriter = {
    store: () =>
      new Promise(resolve => pending.push(() => resolve({ callbackId: 'x', verdict: 'applied', unknownFields: [] }))),
    depth: () => pending.length,
    drained: async () => undefined,
  }
  const writer = admitEarly(slow, () => clock)
  const store = () => writer.store({} as Parameters<CallbackWriter['store']>[0])
  const held = Array.from({ length: 150 }, store)
  clock = 1_500
  held.push(...Array.from({ length: 300 }, store))
  t.equal(pending.length, 450, 'some that wait for long, and many for short, refuse nobody')
  clock = 3_000
  await t.rejects(store(), StoreBusy)
  t.equal(pending.length, 450, 'and the writer is not bothered')
  for (const resolve of pending.splice(0)) resolve()
  await Promise.all(held)
  const next = store()
  for (const resolve of pending) resolve()
  t.match(await next, { verdict: 'applied' })
})
