import t from 'tap'
import { createCursors } from '../../src/operating/cursor.ts'

const cursors = createCursors(() => Buffer.alloc(32, 7))
const listOf = ['changes', ['0000123456-00001']]

t.test('a cursor is read as it was written, by the list that wrote it', async t => {
  for (const key of [[1], [648], ['2026-11-26T00:00:00.000Z', 'x'], ['ü', 12_345]]) {
    for (const direction of ['after', 'before'] as const) {
      const cursor = cursors.write({ direction, key }, listOf)
      t.strictSame(cursors.read(cursor, listOf), { direction, key })
      t.throws(() => cursors.read(cursor, ['changes', ['0000999999-00001']]), {
        message: /is not a cursor of this list/,
      })
    }
  }
})

t.test('a cursor with anything added, taken away or changed is refused, whatever its length', async t => {
  for (let number = 1; number < 10 ** 6; number *= 10) {
    const cursor = cursors.write({ direction: 'after', key: [number] }, listOf)
    const changed = [...cursor].map(
      (char, at) => `${cursor.slice(0, at)}${char === 'A' ? 'B' : 'A'}${cursor.slice(at + 1)}`,
    )
    const added = ['x', 'A', '=', '!', ' ', 'xx', '\n'].flatMap(more => [`${cursor}${more}`, `${more}${cursor}`])
    for (const other of [...changed, ...added, cursor.slice(0, -1), cursor.slice(1), '', cursor.replace(/_|-/g, '/')]) {
      if (other !== cursor)
        t.throws(() => cursors.read(other, listOf), { message: /is not a cursor of this list/ }, JSON.stringify(other))
    }
  }
})
