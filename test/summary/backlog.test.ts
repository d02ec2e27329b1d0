import { sql } from 'kysely'
import t from 'tap'
import { findBacklog } from '../../src/summary/find-backlog.ts'
import { mergeCounts } from '../../src/summary/merge-counts.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { countNothing } from '../fixtures/count-nothing.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { rowsRead } from '../fixtures/rows-read.ts'

const stored = 2_000

t.test('the backlog is told without reading all that is in it', async t => {
  const db = openTestDatabase(t, await createTestDatabase(t), { connections: 1 })
  await countNothing(db)
  await sql`
    insert into activations (account_name, request_id, recorded_at, submitted_at, expected_by, overdue)
    select '0000123456-00001', 'request-' || n, now(), now() - interval '1 day', now() - n * interval '1 minute', true
    from generate_series(1, ${stored}) n`.execute(db)
  await sql`
    insert into activations (account_name, request_id, recorded_at, submitted_at, expected_by)
    select '0000123456-00001', 'waiting-' || n, now(), now(), now() + interval '1 hour'
    from generate_series(1, ${stored}) n`.execute(db)
  await mergeCounts(db)
  await tellsAll('before anything was counted')
  await sql`analyze`.execute(db)
  await tellsAll('with statistics')
  await sql`update activations set overdue = false, expected_by = now() + interval '1 hour' where overdue`.execute(db)
  await mergeCounts(db)
  t.match(await findBacklog(db), { overdue: 0, overdueSeconds: 0, unmatchedSeconds: 0 })
  await readsLittle('with nothing overdue')

  async function tellsAll(when: string) {
    const { overdue, overdueSeconds, pendingSeconds } = await findBacklog(db)
    t.equal(overdue, stored, when)
    t.ok(overdueSeconds >= stored * 60, `the longest by ${overdueSeconds} s`)
    t.ok(pendingSeconds >= 86_400, `the oldest for ${pendingSeconds} s`)
    await readsLittle(when)
  }

  async function readsLittle(when: string) {
    const read = await db.transaction().execute(async trx => {
      const before = await rowsRead(trx)
      await findBacklog(trx as typeof db)
      return (await rowsRead(trx)) - before
    })
    t.ok(read < 60, `${when} it reads ${read} rows of ${2 * stored}`)
  }
})
