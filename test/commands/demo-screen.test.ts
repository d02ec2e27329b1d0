import { PassThrough } from 'node:stream'
import t from 'tap'
import { alignColumns } from '../../src/commands/command-line.ts'
import { createScreen, foldJson } from '../../src/commands/demo-screen.ts'

function fakeScreen(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 }) as unknown as NodeJS.WriteStream
  const screen = createScreen(stream, stream)
  return { screen, written: () => String(stream.read() ?? '') }
}

t.test('on a terminal the progress line rewrites itself and stays below what is said', async t => {
  const { screen, written } = fakeScreen(true)
  screen.progress('half')
  screen.say('a line')
  screen.warn('a warning')
  screen.clear()
  const wipe = '\r\x1b[2K'
  t.equal(written(), `half${wipe}a line\nhalf${wipe}a warning\nhalf${wipe}`)
  screen.progress('x'.repeat(200))
  t.equal(written().length, 79)
  screen.mute()
  t.equal(written(), wipe)
  screen.say('late')
  screen.warn('late')
  screen.progress('late')
  t.equal(written(), '')
})

t.test('elsewhere progress is a plain line now and then', async t => {
  const { screen, written } = fakeScreen(false)
  screen.progress('one')
  screen.progress('two')
  screen.say(screen.paint('bold', 'a line'))
  screen.clear()
  t.equal(written(), 'one\na line\n')
})

t.test('folded JSON is the same JSON, within the width', async t => {
  const value = {
    id: '1',
    empty: [],
    none: null,
    many: Array.from({ length: 9 }, (_, n) => ({ n, text: 'a\n  { "b": [' })),
  }
  const folded = foldJson(value, 60)
  t.strictSame(JSON.parse(folded), value)
  t.ok(folded.split('\n').every(line => line.length <= 61))
  t.equal(foldJson({ a: 1, b: [true] }, 60), '{"a": 1, "b": [true]}')
})

t.test('columns are aligned', async t => {
  t.strictSame(
    alignColumns([
      ['a', 'long', 'x'],
      ['bcd', 'e', ''],
    ]),
    ['a    long  x', 'bcd  e'],
  )
})
