import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { Accounts } from '../../src/operating/access.ts'
import { findSummary } from '../../src/summary/find-summary.ts'
import { mergeCounts } from '../../src/summary/merge-counts.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { watchQueries } from '../fixtures/count-buffers.ts'
import { createTestDatabase } from '../fixtures/database.ts'

const accounts = Array.from({ length: 50 }, (_, n) => `00001234${String(n).padStart(2, '0')}-00001`)
const minutes = 50
const rows = accounts.length * minutes

async function countHours(t: Test): Promise<string> {
  const url = await createTestDatabase(t)
  const db = openTestDatabase(t, url)
  await sql`
    insert into callback_counts
    select hashtextextended(account, 0), account, 'CarrierService', 'applied', date_trunc('minute', now()) - m * interval '1 minute', 1
    from unnest(${accounts}::text[]) account, generate_series(0, ${minutes - 1}) m`.execute(db)
  return url
}

t.test('merging leaves alone what is merged, however many minutes its group has', async t => {
  const db = openTestDatabase(t, await countHours(t))
  const written = async () => {
    const { rows } = await sql<{ row: string }>`select xmin::text || ctid::text as row from callback_counts`.execute(db)
    return new Set(rows.map(({ row }) => row))
  }
  const before = await written()
  await sql`
    insert into callback_counts
    select group_id, account_name, service_name, verdict, minute, 4 from callback_counts
    where account_name = ${accounts[7]} and minute = (select max(minute) from callback_counts)`.execute(db)
  await mergeCounts(db)
  const after = await written()
  t.equal(after.size, rows, 'one row for each minute of each group')
  t.equal(before.difference(after).size, 1, 'one of which is new')
  const { rows: sums } = await sql`
    select sum(callbacks)::int as sum, max(callbacks)::int as most from callback_counts`.execute(db)
  t.strictSame(sums, [{ sum: rows + 4, most: 5 }])
})

t.test('the summary goes through the counts a few times, and not once for each minute that it shows', async t => {
  const url = await countHours(t)
  const { db, cost } = watchQueries(t, url)
  const { verdicts, minutes: shown } = await findSummary(db, accounts)
  t.strictSame(verdicts, { applied: rows })
  t.strictSame(new Set(shown.map(({ count }) => count)), new Set([0, accounts.length]))
  for (const asker of ['*', accounts] satisfies Accounts[]) {
    const { rows: handled } = await cost(db => findSummary(db, asker))
    t.ok(handled >= rows && handled <= 8 * rows, `handles ${handled} rows of ${rows}`)
  }
})
