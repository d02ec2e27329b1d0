import t, { type Test } from 'tap'
import type { Database } from '../../src/database/pool.ts'
import { findRequestsOfUnknown } from '../../src/sending/find-requests-of-unknown.ts'
import { requestFor, until } from '../fixtures/carrier.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { holdRows } from '../fixtures/hold-rows.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { makeUnclaimedOlder } from '../fixtures/make-older.ts'
import { rowsRead } from '../fixtures/rows-read.ts'
import { account, type TestService, takeTestService } from '../fixtures/service.ts'

/** What background work would find now. */
async function startFinding(t: Test): Promise<{ service: TestService; db: Database; find: () => Promise<unknown[]> }> {
  const service = await takeTestService(t)
  const db = openTestDatabase(t, service.databaseUrl)
  return { service, db, find: () => findRequestsOfUnknown(db, () => false) }
}

/** A submission for the devices with these numbers, sent three minutes ago. */
async function submitted(service: TestService, n: number, state: 'sent' | 'unknown', ...numbers: number[]) {
  const id = `00000000-0000-7000-8000-00000000000${n}`
  if (state === 'unknown') await service.record(`submission-${id}`, numbers.map(device))
  await service.sql(
    `insert into submissions (id, name, account_name, asked_by, request_digest, request, state, intended_at, sent_at)
     values ($1, $2, $3, 'test', '', $4, $5, now() - interval '3 minutes', now() - interval '3 minutes')`,
    [id, `submission-${id}`, account, JSON.stringify(requestFor(...numbers)), state],
  )
}

async function callBack(service: TestService, requestId: string, ...numbers: number[]): Promise<void> {
  for (const n of numbers) await service.callback(makeCallback({ requestId, ...device(n) }))
}

const settles = async ({ sql }: TestService, n: number, requestId: string) => {
  const [row] = await until(
    () => sql(`select state, request_id from submissions where id::text like '%' || $1`, [n]),
    ([row]) => row.state === 'accepted',
  )
  return row.request_id === requestId
}

t.test('it is told by callbacks of more than half of what was asked for, unclaimed for a minute', async t => {
  const { service, find } = await startFinding(t)
  await submitted(service, 1, 'unknown', 1, 2, 3, 4)
  await callBack(service, 'told-1', 1, 2)
  await makeUnclaimedOlder(service)
  t.strictSame(await find(), [], 'half of it')
  await callBack(service, 'told-2', 1, 2, 3)
  t.strictSame(await find(), [], 'more, but just now')
  await makeUnclaimedOlder(service)
  t.ok(await settles(service, 1, 'told-2'))
})

t.test("another program's request for some of the same devices keeps nothing from being told", async t => {
  const { service, find } = await startFinding(t)
  await submitted(service, 1, 'unknown', 1, 2, 3)
  await callBack(service, 'anothers-1', 2)
  await callBack(service, 'anothers-2', 1, 2, 3, 4)
  await makeUnclaimedOlder(service)
  t.strictSame(await find(), [], 'a part of it; and more than it asked for')
  await callBack(service, 'told-1', 1, 2, 3)
  await makeUnclaimedOlder(service)
  t.ok(await settles(service, 1, 'told-1'))
})

t.test('it is not told by what two requests, or two submissions, explain', async t => {
  const { service, find } = await startFinding(t)
  await submitted(service, 1, 'unknown', 1)
  await callBack(service, 'told-1', 1)
  await callBack(service, 'told-2', 1)
  await submitted(service, 2, 'unknown', 2)
  await submitted(service, 3, 'unknown', 2, 3, 4)
  await callBack(service, 'told-3', 2)
  await submitted(service, 4, 'unknown', 5)
  await submitted(service, 5, 'sent', 5, 6, 7)
  await callBack(service, 'told-4', 5)
  await makeUnclaimedOlder(service)
  t.strictSame(await find(), [])
  // The answer to the last one has come.
  await service.sql("update submissions set state = 'refused' where state = 'sent'")
  t.ok(await settles(service, 4, 'told-4'))
})

t.test('2,000 devices called back are told', async t => {
  const { service } = await startFinding(t)
  const numbers = Array.from({ length: 2_000 }, (_, n) => n)
  await submitted(service, 1, 'unknown', ...numbers)
  await callBack(service, 'told-1', 0)
  // As if each of them had come.
  await service.sql(
    `insert into results (source_id, ordinal, source, activation_id, account_name, result, iccid, facts, at)
     select gen_random_uuid(), 0, 'callback', r.activation_id, r.account_name, r.result, t.iccid, r.facts, r.at
     from results r, targets t where t.iccid <> r.iccid`,
  )
  await makeUnclaimedOlder(service)
  t.ok(await settles(service, 1, 'told-1'))
})

t.test('what is open is not read for what others were called back', async t => {
  const { service, db } = await startFinding(t)
  await submitted(service, 1, 'unknown', ...Array.from({ length: 3_000 }, (_, n) => n))
  for (let n = 0; n < 20; n += 1) await callBack(service, `anothers-${n}`, 10_000 + n)
  await makeUnclaimedOlder(service)
  await service.sql('analyze')
  // One that reads what was asked for would fail at this.
  await service.sql(`update submissions set request = '{}'`)
  const read = await db.transaction().execute(async trx => {
    t.strictSame(await findRequestsOfUnknown(trx, () => false), [])
    return rowsRead(trx)
  })
  t.ok(read < 500, `${read} rows`)
})

t.test('a submission that somebody holds keeps no other one from being settled', async t => {
  const { service } = await startFinding(t)
  for (const n of [1, 2, 3]) await submitted(service, n, 'unknown', n)
  // The newest are looked at first.
  const letGo = await holdRows(t, service.databaseUrl, 'submissions', "id::text ~ '[23]$'")
  for (const n of [1, 2, 3]) await callBack(service, `told-${n}`, n)
  await makeUnclaimedOlder(service)
  t.ok(await settles(service, 1, 'told-1'))
  await letGo()
  for (const n of [2, 3]) t.ok(await settles(service, n, `told-${n}`))
})
