import t from 'tap'
import { type ActivationFilter, listActivations } from '../../src/activations/list-activations.ts'
import { createCursors } from '../../src/operating/cursor.ts'
import { mergeCounts } from '../../src/summary/merge-counts.ts'
import { watchQueries } from '../fixtures/count-buffers.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService, takeTestService } from '../fixtures/service.ts'

t.test('activations are listed newest first, filtered, and paged both ways', async t => {
  const service = await takeTestService(t)
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
  t.strictSame(await list('submittedAfter=2026-01-02T00:00:00Z&submittedBefore=2026-01-03T00:00:00.000001Z'), [
    'listed-2',
  ])
  t.strictSame(await list('submittedAfter=2026-01-03T00:00:00.000001Z&submittedBefore=2026-01-04T00:00:00Z'), [])
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

t.test('among 50,000 activations a page costs its rows and groups, whatever is asked', async t => {
  const service = await startTestService(t)
  await service.sql(`
    insert into activations (account_name, request_id, submitted_at, expected_by, settled_at, operation, status,
      overdue)
    select '${account}', 'request-' || n, timestamptz '2026-01-01T00:00:00Z' + n * interval '1 second',
      now() + interval '1 day',
      case when n % 50 > 0 then now() end, case when n = 17500 then 'rare' else 'activate' end,
      case when n in (25000, 37500) then 'conflict' when n % 50 = 0 then 'pending' else 'succeeded' end, n = 25050
    from generate_series(1, 50000) n`)
  await service.sql('update activations set recorded_at = now()')
  await service.sql('analyze activations')
  await service.sql(`update activations set expected_by = now() where request_id in ('request-50', 'request-37550')`)
  const { db, cost } = watchQueries(t, service.databaseUrl)
  await mergeCounts(db)
  const cursors = createCursors(() => Buffer.alloc(32, 1))
  const rare: [ActivationFilter, number[]][] = [
    [{ operation: 'rare' }, [17_500]],
    [{ status: 'conflict' }, [37_500, 25_000]],
    [{ overdue: true }, [37_550, 25_050, 50]],
    [{ status: 'conflict', submittedBefore: '2026-01-01T06:56:41Z' }, [25_000]],
    [{ submittedAfter: '2026-01-01T13:53:18Z' }, [50_000, 49_999]],
    [{ accountName: 'nobody' }, []],
  ]
  for (const [filter, expected] of rare) {
    const page = await listActivations(db, cursors, filter, '*', {})
    t.strictSame(
      page.rows.map(row => Number(row.request_id.slice(8))),
      expected,
    )
    const { buffers } = await cost(db => listActivations(db, cursors, filter, '*', {}))
    t.ok(buffers < 500, `${JSON.stringify(filter)} looks at ${buffers} pages`)
  }
  const { buffers } = await cost(db => listActivations(db, cursors, { overdue: false }, '*', {}))
  t.ok(buffers < 3_000, `a full page looks at ${buffers} pages`)
  const { rows } = await listActivations(db, cursors, { overdue: false, status: 'pending' }, '*', { limit: 1_000 })
  t.notOk(rows.some(row => row.request_id === 'request-37550'))
})
