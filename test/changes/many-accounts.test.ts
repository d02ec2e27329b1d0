import { sql } from 'kysely'
import t from 'tap'
import type { ChangeRow } from '../../src/changes/change-view.ts'
import { findChanges, lets } from '../../src/changes/find-changes.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { rowsRead } from '../fixtures/rows-read.ts'

const accounts = Array.from({ length: 50 }, (_, n) => `00001234${String(n).padStart(2, '0')}-00001`)
const limit = 100

/** Whose change each one is; -1: nobody's who asks. */
const feeds: [string, string][] = [
  ['spread evenly', 'n % 50'],
  ['mostly of one account', 'case when n % 20 = 0 then n / 20 % 50 else 7 end'],
  ['first of one, then of another', 'case when n < 3000 then 1 else 2 end'],
  ['mostly of others', 'case when n % 100 = 0 then n / 100 % 50 else -1 end'],
]

t.test('a page for many accounts misses and repeats nothing, and costs less than a page of each', async t => {
  const db = openTestDatabase(t, await createTestDatabase(t), { connections: 1 })
  for (const [feed, owner] of feeds) {
    await sql`truncate changes restart identity`.execute(db)
    await sql`
      insert into changes (at, kind, account_name, becomes, source)
      select now(), 'activation', coalesce((${accounts}::text[])[1 + ${sql.raw(owner)}], 'another'), '{}', 'clock'
      from generate_series(1, 5000) n`.execute(db)
    const found: string[] = []
    await db.transaction().execute(async trx => {
      const { rows: all } = await sql<{ id: string }>`
        select id from changes where account_name <> 'another' order by id`.execute(trx)
      for (let after = 0n; ; ) {
        const before = await rowsRead(trx)
        const { rows, upTo } = await findChanges(trx, after, {}, accounts, limit)
        const read = (await rowsRead(trx)) - before
        if (read > 25 * limit) t.fail(`${feed}: a page reads ${read} rows`)
        found.push(...rows.map(({ id }) => id))
        after = upTo
        if (rows.length < limit) break
      }
      t.strictSame(
        found,
        all.map(({ id }) => id),
        feed,
      )
      t.equal((await findChanges(trx, 4_990n, {}, accounts, limit)).upTo, 5_000n, `${feed}: its end is the feed's`)
    })
  }
})

t.test('a waiting reader goes through its accounts once, however many changes it looks at', async t => {
  let looks = 0
  const watched = new Proxy(accounts, {
    get(list, key) {
      looks += 1
      return Reflect.get(list, key)
    },
  })
  const change = (n: number) => ({ account_name: accounts[n % 60] ?? 'another', iccid: `iccid-${n}` }) as ChangeRow
  const seen = Array.from({ length: 600 }, (_, n) => change(n)).filter(change => lets({}, watched, change))
  t.equal(seen.length, 500)
  t.equal(seen.filter(change => lets({ iccid: 'iccid-7' }, watched, change)).length, 1)
  t.ok(looks < 3 * accounts.length, `${looks} looks at ${accounts.length} accounts`)
})
