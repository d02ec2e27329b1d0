import { sql } from 'kysely'
import t from 'tap'
import { createCursors } from '../../src/operating/cursor.ts'
import { listProfiles } from '../../src/profiles/list-profiles.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { rowsRead } from '../fixtures/rows-read.ts'

const groups = 300
const profiles = 3_000
const limit = 50
const cursors = createCursors(() => Buffer.alloc(32))

t.test('a page of many groups reads one row of each, and a few of those that come first', async t => {
  const db = openTestDatabase(t, await createTestDatabase(t), { connections: 1 })
  await sql`insert into activations (account_name, request_id, submitted_at) values ('0000123456-00001', 'one', now())`.execute(
    db,
  )
  await sql`
    insert into profiles (iccid, account_name, service_plan, activation_id, evidence, result, source,
      spoken_submitted_at, spoken_final, spoken_at, spoken_by, changed_at, confirmed_at, version)
    select '899990' || lpad(n::text, 14, '0'), '0000123456-00001', 'PLAN_' || n * 7 % ${sql.lit(groups)}, id, '{}',
      'pending', 'callback', now(), true, now(), gen_random_uuid(), now() - n * n % 1009 * interval '1 second', now(), 1
    from activations, generate_series(1, ${sql.lit(profiles)}) n`.execute(db)
  for (const [filter, order] of [
    [{}, 'iccid'],
    [{ changedAfter: '2020-01-01T00:00:00Z' }, 'changed_at, iccid'],
  ] as const) {
    const { rows: all } = await sql<{ iccid: string }>`select iccid from profiles order by ${sql.raw(order)}`.execute(
      db,
    )
    const expected = all.map(({ iccid }) => iccid)
    const page = (cursor?: string | null) =>
      db.transaction().execute(async trx => {
        const before = await rowsRead(trx)
        const found = await listProfiles(trx, cursors, filter, '*', { limit, cursor: cursor ?? undefined })
        return { ...found, iccids: found.rows.map(({ iccid }) => iccid), read: (await rowsRead(trx)) - before }
      })
    const pages = [await page()]
    for (let next = pages[0]?.next; next; next = pages.at(-1)?.next) pages.push(await page(next))
    t.strictSame(
      pages.flatMap(({ iccids }) => iccids),
      expected,
      order,
    )
    const back = await page(pages.at(-1)?.prev)
    t.strictSame(back.iccids, pages.at(-2)?.iccids, 'and back')
    const read = pages[0]?.read ?? 0
    t.ok(read > 0 && read < 4 * groups, `reads ${read} rows of ${groups} groups`)
  }
})
