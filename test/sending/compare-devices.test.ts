import { sql } from 'kysely'
import t from 'tap'
import { compareDevices } from '../../src/sending/compare-devices.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { rowsRead } from '../fixtures/rows-read.ts'

const devices = 3_000

t.test('what a bulk is told to be is found in one pass over what its callbacks mention', async t => {
  const db = openTestDatabase(t, await createTestDatabase(t), { connections: 1 })
  await sql`
    insert into activations (account_name, request_id, submitted_at)
    select '0000123456-00001', name, now() from unnest(array['asked-for', 'spoken-of']) name`.execute(db)
  const iccid = sql`'899990' || lpad(n::text, 14, '0')`
  await sql`
    insert into targets (activation_id, number, requested, iccid, evidence)
    select 1, n, true, ${iccid}, '{}' from generate_series(1, ${sql.lit(devices)}) n`.execute(db)
  await sql`
    insert into results (source_id, ordinal, source, activation_id, account_name, result, iccid, facts, at)
    select gen_random_uuid(), 0, 'callback', 2, '0000123456-00001', result, ${iccid}, '{}', now()
    from generate_series(1, ${sql.lit(devices)}) n, unnest(array['warning', 'succeeded']) result`.execute(db)
  const compared = () =>
    db.transaction().execute(async trx => {
      const before = await rowsRead(trx)
      return { ...(await compareDevices(trx, '2', '1')), read: (await rowsRead(trx)) - before }
    })
  const { read, ...all } = await compared()
  t.strictSame(all, { isAllAskedFor: true, askedFor: devices })
  t.ok(read < 6 * devices, `reads ${read} rows for ${devices} devices`)

  await sql`update targets set iccid = '89999100000000000000' where number = 1234`.execute(db)
  t.match(await compared(), { isAllAskedFor: false })
  await sql`delete from results`.execute(db)
  t.match(await compared(), { isAllAskedFor: true, askedFor: 0 })
})
