import t from 'tap'
import { byName } from '../../src/thingspace/by-name.ts'

t.test('what follows from a name is worked out once, within bounds', async t => {
  const asked: string[] = []
  const lengthOf = byName(name => {
    asked.push(name)
    return { length: name.length }
  })
  t.strictSame(
    [lengthOf('kind'), lengthOf('kind'), lengthOf('__proto__')],
    [{ length: 4 }, { length: 4 }, { length: 9 }],
  )
  t.strictSame(asked, ['kind', '__proto__'])

  const long = 'x'.repeat(65)
  t.strictSame([lengthOf(long), lengthOf(long)], [{ length: 65 }, { length: 65 }])
  t.equal(asked.filter(name => name === long).length, 2, 'a long one is not remembered')

  for (let n = 0; n < 2_000; n += 1) lengthOf(`made-up-${n}`)
  asked.length = 0
  lengthOf('kind')
  lengthOf('made-up-0')
  lengthOf('made-up-1999')
  t.strictSame(asked, ['made-up-1999'], 'nor more than a thousand')
})
