import t from 'tap'
import { shareRoundTrips } from '../../src/database/share-round-trips.ts'

/** A round trip that ends when the test says so. */
interface Trip {
  key: string
  ids: readonly string[]
  answer: () => void
  fail: () => void
}

function startSharing() {
  const trips: Trip[] = []
  const ask = shareRoundTrips<string>(
    (key, ids) =>
      new Promise((resolve, reject) => {
        const answer = () => resolve(ids.map(id => `${key} ${id}`))
        trips.push({ key, ids, answer, fail: () => reject(new Error('the link is dead')) })
      }),
  )
  const until = async (count: number) => {
    while (trips.length < count) await new Promise(resolve => setTimeout(resolve, 1))
    return trips[count - 1] as Trip
  }
  return { ask, trips, until }
}

t.test('who asks while others are answered shares the next round trip', async t => {
  const { ask, trips, until } = startSharing()
  const first = ['a', 'b'].map(id => ask('eid', id))
  const one = await until(1)
  t.strictSame(one.ids, ['a', 'b'])
  const later = ['c', 'd', 'c'].map(id => ask('eid', id))
  await new Promise(resolve => setImmediate(resolve))
  t.equal(trips.length, 1)
  one.answer()
  t.strictSame(await Promise.all(first), ['eid a', 'eid b'])
  const two = await until(2)
  t.strictSame(two.ids, ['c', 'd', 'c'])
  two.answer()
  t.strictSame(await Promise.all(later), ['eid c', 'eid d', 'eid c'])
})

t.test('who asks for something else waits for nobody', async t => {
  const { ask, until } = startSharing()
  const asked = [ask('eid', 'a'), ask('iccid', 'a')]
  const second = await until(2)
  second.answer()
  t.equal(await asked[1], 'iccid a')
  ;(await until(1)).answer()
  t.equal(await asked[0], 'eid a')
})

t.test('a round trip that hangs holds up those behind it for a moment only, and its failure is its own', async t => {
  const { ask, until } = startSharing()
  const hanging = ask('eid', 'a')
  const one = await until(1)
  const behind = ask('eid', 'b')
  ;(await until(2)).answer()
  t.equal(await behind, 'eid b')
  one.fail()
  await t.rejects(hanging, { message: 'the link is dead' })
  const after = ask('eid', 'c')
  ;(await until(3)).answer()
  t.equal(await after, 'eid c')
})
