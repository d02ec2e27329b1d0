import t from 'tap'
import { createCursors } from '../../src/operating/cursor.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, takeTestService } from '../fixtures/service.ts'

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

t.test('a list is the same one in whatever order its filters are written', async t => {
  const service = await takeTestService(t)
  for (const n of [1, 2, 3]) {
    const { ids, requestId } = { ids: device(n), requestId: `request-${n}` }
    await service.record(requestId, [ids])
    await service.callback(makeCallback({ requestId, ...ids }))
  }
  const lists = {
    profiles: ['state=ACTIVE', `accountName=${account}`, 'changedAfter=2020-01-01T00:00:00Z'],
    activations: ['status=succeeded', `accountName=${account}`, 'overdue=false'],
    callbacks: ['verdict=applied', `accountName=${account}`, 'receivedAfter=2020-01-01T00:00:00Z'],
  }
  for (const [list, filters] of Object.entries(lists)) {
    const first = await service.get(`/v1/${list}?${filters.join('&')}&limit=1`)
    const url = `/v1/${list}?cursor=${first.body.next}&limit=1&${filters.toReversed().join('&')}`
    t.match(await service.get(url), { status: 200, body: { items: [Object] } }, url)
    const other = url.replace(`&${filters[0]}`, '')
    t.match(await service.get(other), { status: 400, body: { errorMessage: /cursor/ } }, other)
  }
})
