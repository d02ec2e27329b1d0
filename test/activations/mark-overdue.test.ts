import t from 'tap'
import { until } from '../fixtures/carrier.ts'
import { holdRows } from '../fixtures/hold-rows.ts'
import { device } from '../fixtures/make-callback.ts'
import { takeTestService } from '../fixtures/service.ts'

t.test('an activation that somebody holds keeps no later one from being marked overdue', async t => {
  const service = await takeTestService(t)
  for (const [n, requestId] of ['held-one', 'next-one'].entries()) await service.record(requestId, [device(n)])
  const letGo = await holdRows(t, service.databaseUrl, 'activations', "request_id = 'held-one'")
  await service.sql(
    "update activations set expected_by = now() - case request_id when 'held-one' then interval '2 h' else '1 h' end",
  )
  const marked = () => service.sql('select request_id from activations where overdue order by request_id')
  const first = await until(marked, rows => rows.length > 0)
  t.strictSame(first, [{ request_id: 'next-one' }])
  await letGo()
  await until(marked, rows => rows.length === 2)
})
