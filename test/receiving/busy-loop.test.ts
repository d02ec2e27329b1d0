import t from 'tap'
import { watchLoop } from '../../src/receiving/busy-loop.ts'

/** An event loop whose turns take as long as is said. */
function stage() {
  let clock = 0
  let end = () => {}
  const loop = watchLoop(
    () => clock,
    work => {
      end = work
    },
  )
  const turn = (ms: number) => {
    const behind = loop.isBehind()
    clock += ms
    end()
    return behind
  }
  return { turn, loop }
}

t.test('a burst does not count, however long a turn it takes', async t => {
  const { turn } = stage()
  const turns = [900, 900, 900, 40, ...Array.from({ length: 50 }, () => 150), 60_000, 10]
  t.notOk(turns.map(turn).includes(true), 'and neither does a process that was stopped')
})

t.test('what goes on longer than a burst counts until nobody had to be refused', async t => {
  const { turn, loop } = stage()
  for (let n = 0; n < 4; n += 1) t.equal(turn(260), false)
  for (let n = 0; n < 20; n += 1) {
    t.equal(turn(40), true)
    loop.refused()
  }
  for (let n = 0; n < 12; n += 1) t.equal(turn(40), true)
  turn(40)
  t.equal(turn(40), false)
})

t.test('those who are refused and come back at once do not keep it alive', async t => {
  const { turn, loop } = stage()
  for (let n = 0; n < 4; n += 1) turn(260)
  t.equal(turn(40), true)
  let turns = 0
  for (; turns < 200 && turn(40); turns += 1) loop.refused()
  t.ok(turns > 50 && turns < 100, `over after ${turns * 40} ms`)
})
