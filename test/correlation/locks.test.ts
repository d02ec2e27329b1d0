import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import t from 'tap'
import { appendChanges } from '../../src/correlation/append-changes.ts'
import { lockActivations, tryLockActivations } from '../../src/correlation/lock-activations.ts'
import type { Change } from '../../src/correlation/working-set.ts'
import type { Tables } from '../../src/database/tables.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'

const db = openTestDatabase(t, await createTestDatabase(t), { connections: 4, lockTimeoutMs: 20_000 })

const change: Change = {
  at: new Date(),
  kind: 'activation',
  accountName: 'account',
  requestId: 'request',
  iccid: null,
  eid: null,
  was: null,
  becomes: { status: 'pending' },
  callbackId: null,
  source: 'record',
  profile: null,
}

t.test('a change draws its number only when the feed is its own', async t => {
  const first = await begin()
  await appendChanges(first.trx, [change])
  const second = db.transaction().execute(trx => appendChanges(trx, [change, change]))
  await untilSomebodyWaits()
  const drawn = await sql<{ last_value: string }>`select last_value from changes_id_seq`.execute(db)
  t.equal(drawn.rows[0]?.last_value, '1', 'the one who waits has no number yet')
  await first.end()
  await second
})

t.test('a row that somebody else makes at the same moment is looked for again', async t => {
  const name = { accountName: 'account', requestId: 'made-at-once' }
  const other = { accountName: 'account', requestId: 'another' }
  const maker = await begin()
  const { activations } = await lockActivations(maker.trx, [name])
  t.equal(activations.length, 1)

  const first = db.transaction().execute(trx => tryLockActivations(trx, [name, other]))
  await untilSomebodyWaits()
  await maker.end()
  t.equal(await first, null, 'what was read behind it may be old')

  const { activations: both } = await db.transaction().execute(trx => lockActivations(trx, [name, other, name]))
  t.strictSame(both.map(({ requestId }) => requestId).toSorted(), ['another', 'made-at-once'])
})

t.test('the clock of a transaction is read when it has all of its locks', async t => {
  const names = ['a', 'b', 'c'].map(requestId => ({ accountName: 'account', requestId }))
  await db.transaction().execute(trx => lockActivations(trx, names))
  const holder = await begin()
  await lockActivations(holder.trx, [{ accountName: 'account', requestId: 'c' }])
  const waiting = db.transaction().execute(trx => lockActivations(trx, names))
  await untilSomebodyWaits()
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(holder.trx)
  await holder.end()
  t.ok((await waiting).now >= (rows[0]?.now ?? new Date()), 'not when it had the first of them')
})

async function begin(): Promise<{ trx: Kysely<Tables>; end: () => Promise<void> }> {
  const trx = await db.startTransaction().execute()
  return { trx, end: () => trx.commit().execute() }
}

async function untilSomebodyWaits(): Promise<void> {
  const waiting = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  while ((await waiting.execute(db)).rows.length === 0) await sleep(5)
}
