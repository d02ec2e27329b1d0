import { sql } from 'kysely'
import t from 'tap'
import type { Accounts } from '../../src/operating/access.ts'
import { createCursors } from '../../src/operating/cursor.ts'
import { type CallbackFilter, findCallbacks, walkCallbacks } from '../../src/receiving/find-callbacks.ts'
import { reprocessCallbacks } from '../../src/receiving/reprocess-callbacks.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import { watchQueries } from '../fixtures/count-buffers.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { account, startTestService } from '../fixtures/service.ts'

const other = '0000999999-00001'
const cursors = createCursors(() => Buffer.alloc(32, 1))

t.test('among 100,000 callbacks a page costs its rows and groups, whatever is asked', async t => {
  // Some day they are old.
  const service = await startTestService(t, { KEEP_CALLBACKS: 'forever' })
  await service.sql(`insert into activations (account_name, request_id, submitted_at) values
    ('${account}', 'many', now()), ('${account}', 'few', now())`)
  await service.sql(`
    insert into callbacks (id, account_name, service_name, activation_id, fingerprint, verdict, received_at, last_seen_at, body)
    select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,
      case when n in (7, 50000) then '${other}' else '${account}' end,
      case when n = 60000 then 'NiddService' else 'CarrierService' end,
      (select id from activations where request_id = case when n % 40000 = 9 then 'few' else 'many' end),
      gen_random_uuid(), case when n in (100, 70000) then 'unchanged' when n = 4 then 'quarantined' else 'applied' end,
      timestamptz '2026-01-01T00:00:00Z' + n / 3 * interval '1 second', now(), '{}'
    from generate_series(1, 100000) n`)
  await service.sql('analyze callbacks')
  const { db, cost } = watchQueries(t, service.databaseUrl)
  const rare: [CallbackFilter, Accounts, number[]][] = [
    [{ verdict: 'unchanged' }, '*', [70_000, 100]],
    [{ verdict: 'quarantined' }, '*', [4]],
    [{ verdict: 'other' }, '*', []],
    [{ accountName: other }, '*', [50_000, 7]],
    [{}, [other], [50_000, 7]],
    [{ verdict: 'quarantined' }, [other], []],
    [{ serviceName: 'NiddService' }, [account, other], [60_000]],
    [{ requestId: 'few' }, '*', [80_009, 40_009, 9]],
    [{ requestId: 'few', receivedAfter: '2026-01-01T00:00:04Z' }, [account], [80_009, 40_009]],
    [{ requestId: 'few' }, [other], []],
    [{ receivedAfter: '2026-01-01T09:15:32Z' }, '*', [100_000, 99_999]],
  ]
  for (const [filter, accounts, expected] of rare) {
    const title = JSON.stringify([filter, accounts])
    const { rows } = await findCallbacks(db, cursors, filter, accounts, {})
    t.strictSame(rows.map(numberOf), expected, title)
    const { buffers } = await cost(db => findCallbacks(db, cursors, filter, accounts, {}))
    t.ok(buffers < 150, `${title} looks at ${buffers} pages`)
  }
  const { buffers } = await cost(db => findCallbacks(db, cursors, {}, '*', {}))
  t.ok(buffers < 2_500, `a full page looks at ${buffers} pages`)

  const seen: number[] = []
  for (let cursor: string | undefined, page = 0; page < 40; page += 1) {
    const { rows, next } = await findCallbacks(db, cursors, { verdict: 'applied' }, '*', { limit: 7, cursor })
    seen.push(...rows.map(numberOf))
    cursor = next ?? undefined
  }
  t.strictSame(
    seen,
    Array.from({ length: 280 }, (_, n) => 100_000 - n),
    'newest first; of one moment, in the order of ids',
  )
  const walked = await walkCallbacks(db, { verdict: 'unchanged' }, '*', null, 10)
  t.strictSame(walked.map(numberOf), [100, 70_000], 'gone through oldest first')
})

function numberOf({ id }: { id: string }): number {
  return Number(id.slice(-12))
}

t.test('a page of the callbacks of a bulk passes each of them on once, and a few pages go through all', async t => {
  const { db, cost } = watchQueries(t, await createTestDatabase(t))
  const of = 2_000
  await sql`
    insert into activations (account_name, request_id, submitted_at) values (${account}, 'bulk', now())`.execute(db)
  await sql`
    insert into callbacks (id, account_name, service_name, activation_id, fingerprint, verdict, received_at, last_seen_at, body)
    select gen_random_uuid(), ${account}, 'CarrierService', id, gen_random_uuid(), 'applied', now(), now(), '{}'
    from activations, generate_series(1, ${of}) n`.execute(db)
  const { rows } = await cost(db => findCallbacks(db, cursors, { requestId: 'bulk' }, [account], { limit: 5 }))
  t.ok(rows >= of && rows < 1.5 * of, `${rows} rows are passed on`)

  const keys = { sealer: createSealer(Buffer.alloc(32)), fingerprintKey: Buffer.alloc(32) }
  for (const filter of [{ requestId: 'bulk' }, { verdict: 'applied' }]) {
    const { queries } = await cost(async db => {
      const told = await reprocessCallbacks({ db, seenBy: () => db }, keys, filter, [account], true)
      t.match(told, { matched: of, reprocessed: 0 })
    })
    t.ok(queries <= 6, `to go through all of them took ${queries} questions`)
  }
})
