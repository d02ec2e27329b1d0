import { sql } from 'kysely'
import t from 'tap'
import { anyDue, claimDue, putOff } from '../../src/polling/due-polls.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { rowsRead } from '../fixtures/rows-read.ts'

const waiting = 2_000

t.test('asking whether a poll is due reads none of those that are to come', async t => {
  const db = openTestDatabase(t, await createTestDatabase(t), { connections: 1 })
  await sql`
    insert into activations (account_name, request_id, submitted_at)
    select '0000123456-00001', 'request-' || n, now() from generate_series(1, ${waiting}) n`.execute(db)
  await sql`insert into polls (activation_id, next_poll_at) select id, now() + interval '1 hour' from activations`.execute(
    db,
  )
  const read = await db.transaction().execute(async trx => {
    const before = await rowsRead(trx)
    t.equal(await anyDue(trx as typeof db), false)
    t.equal(await claimDue(trx as typeof db), null)
    return (await rowsRead(trx)) - before
  })
  t.ok(read < 20, `reads ${read} rows of ${waiting}`)

  await sql`update polls set next_poll_at = now() - interval '1 minute' * activation_id`.execute(db)
  t.equal(await anyDue(db), true)
  t.match(await claimDue(db), { requestId: `request-${waiting}` }, 'the one that has been due for longest')

  await putOff(db, 60_000)
  await putOff(db, 1_000)
  t.equal(await anyDue(db), false, 'the longer time counts')
  t.equal(await claimDue(db), null)
  const { rows } = await sql`select from polls where next_poll_at <= now()`.execute(db)
  t.equal(rows.length, waiting - 1, 'those that are due keep their order')
  await sql`update carrier_turns set until = now() where name = 'put off'`.execute(db)
  t.match(await claimDue(db), { requestId: `request-${waiting - 1}` })
})
