import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startTestService } from '../fixtures/service.ts'

t.test('activations are listed newest first, filtered, and paged both ways', async t => {
  const service = await startTestService(t)
  for (let n = 0; n < 5; n += 1) {
    const submittedAt = new Date(Date.UTC(2026, 0, 1 + n)).toISOString()
    const operation = n % 2 === 0 ? 'activate' : 'download'
    await service.record(`listed-${n}`, [device(n)], { submittedAt, operation })
  }
  await service.record('fresh', [device(9)])
  await service.callback(makeCallback({ requestId: 'listed-4', ...device(4) }))
  await service.callback(makeCallback({ requestId: 'only-callbacks', ...device(8) }))
  const list = async (query: string) => {
    const { body } = await service.get(`/v1/activations?${query}`)
    return body.items.map(({ requestId }: { requestId: string }) => requestId)
  }
  t.strictSame(await list(''), ['fresh', 'listed-4', 'listed-3', 'listed-2', 'listed-1', 'listed-0'])
  t.strictSame(await list('operation=download'), ['listed-3', 'listed-1'])
  t.strictSame(await list('status=succeeded'), ['listed-4'])
  t.strictSame(await list('overdue=true'), ['listed-3', 'listed-2', 'listed-1', 'listed-0'])
  t.strictSame(await list('overdue=false'), ['fresh', 'listed-4'])
  t.strictSame(await list('submittedAfter=2026-01-02T00:00:00Z&submittedBefore=2026-01-04T00:00:00Z'), ['listed-2'])
  t.strictSame(await list('accountName=nobody'), [])
  const first = (await service.get('/v1/activations?limit=4')).body
  t.strictSame(await list(`limit=4&cursor=${first.next}`), ['listed-1', 'listed-0'])
  const second = (await service.get(`/v1/activations?limit=4&cursor=${first.next}`)).body
  t.strictSame(await list(`limit=4&cursor=${second.prev}`), ['fresh', 'listed-4', 'listed-3', 'listed-2'])
  for (const query of ['status=great', 'overdue=maybe', 'submittedAfter=soon', 'limit=0', 'unknown=1', 'cursor=x']) {
    t.match(await service.get(`/v1/activations?${query}`), {
      status: 400,
      body: { errorMessage: /^query parameter: / },
    })
  }
})
