import { PassThrough } from 'node:stream'
import t from 'tap'
import type { ChangeRow } from '../../src/changes/change-view.ts'
import { streamChanges } from '../../src/changes/stream-changes.ts'
import { createCursors } from '../../src/operating/cursor.ts'

t.test('a change is signed and written out once, however many follow the stream', async t => {
  const rows = Array.from({ length: 50 }, (_, n) => change(n + 1))
  const { write, read } = createCursors(() => Buffer.alloc(32))
  let signed = 0
  const cursors = {
    read,
    write: (...of: Parameters<typeof write>) => {
      signed += 1
      return write(...of)
    },
  }
  const streams = await Promise.all(Array.from({ length: 20 }, () => follow()))
  t.equal(signed, streams.length + rows.length, 'and once for the place at which each begins')
  t.equal(new Set(streams).size, 1)
  const ids = [...(streams[0] ?? '').matchAll(/^event: change\nid: (.+)\ndata: (.+)$/gm)]
  t.equal(ids.length, rows.length)
  for (const [at, [, id = '', data = '']] of ids.entries()) {
    t.strictSame(read(id, 'changes').key, [rows[at]?.id])
    t.match(JSON.parse(data), { cursor: id, iccid: rows[at]?.iccid })
  }

  async function follow(): Promise<string> {
    const gone = new AbortController()
    const response = new PassThrough({ highWaterMark: 2 ** 20 })
    const feed = {
      read: async ({ id }: { id: bigint }) => ({ rows: id === 0n ? rows : [], upTo: 50n, deletedTo: 0n }),
      grown: async () => gone.abort(),
    }
    const to = Object.assign(response, { socket: null }) as unknown as Parameters<typeof streamChanges>[0]
    const after = { id: 0n, thinned: false }
    await streamChanges(to, { feed, cursors, after, filter: {}, accounts: '*', gone: gone.signal } as never)
    response.end()
    return (await response.toArray()).join('')
  }
})

function change(n: number): ChangeRow {
  return {
    id: String(n),
    at: new Date(0),
    kind: 'profile',
    account_name: '0000123456-00001',
    request_id: null,
    iccid: `iccid-${n}`,
    eid: null,
    was: null,
    becomes: { state: 'ACTIVE' },
    callback_id: null,
    source: 'callback',
  }
}
