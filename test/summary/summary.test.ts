import { createHash } from 'node:crypto'
import t from 'tap'
import { enterStatus } from '../../src/polling/enter-status.ts'
import { mergeCounts } from '../../src/summary/merge-counts.ts'
import { until } from '../fixtures/carrier.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { countsThatDiffer } from '../fixtures/count-by-scan.ts'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { randomFrom } from '../fixtures/model-messages.ts'
import { account, type Row, startTestService, type TestService } from '../fixtures/service.ts'

const other = '0000999999-00001'
const seed = Number(process.env.SUMMARY_SEED ?? Date.now() % 2 ** 31)

t.test('the summary says what a scan would, at any moment of a random run on two replicas', async t => {
  const one = await startTestService(t)
  const two = await startTestService(t, { DATABASE_URL: one.databaseUrl })
  const db = openTestDatabase(t, one.databaseUrl, { statementTimeoutMs: 30_000, lockTimeoutMs: 30_000 })
  t.comment(`SUMMARY_SEED=${seed}`)
  const random = randomFrom(seed)
  const pick = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)] as T

  const steps = Array.from({ length: 400 }, () => step(pick([one, two]), pick))
  for (let from = 0; from < steps.length; from += 40) {
    await Promise.all(steps.slice(from, from + 40).map(run => run()))
    if (from % 80 === 0) void mergeCounts(db)
    t.strictSame(await one.sql(countsThatDiffer), [])
  }
  const poll = { accountName: account, requestId: 'request-1' }
  const learned = { ids: [{ kind: 'iccid', id: device(77).iccid }], status: 'Failed' }
  await enterStatus(db, poll, { status: 'Success', subRequests: [learned] } as never)
  for (const requestId of ['request-0', 'request-1']) await one.record(requestId, [device(1)])
  await one.call('POST', '/v1/callbacks/reprocess', { body: {} })
  await until(
    () => one.sql('select from activations where settled_at is null and not overdue and expected_by < now()'),
    rows => rows.length === 0,
  )
  await mergeCounts(db)
  t.strictSame(await two.sql(countsThatDiffer), [])

  const { body } = await two.get('/v1/summary')
  const [scan] = await one.sql(`select
    (select json_agg(g) from (select state, profile_role as "profileRole", profile_status as "profileStatus",
      count(*)::int as count from profiles group by 1, 2, 3 order by 1, 2, 3) g) as profiles,
    (select json_object_agg(verdict, count) from (select verdict, count(*) from callbacks group by 1) g) as verdicts,
    (select json_object_agg(status, count) from (select status, count(*) from activations
      where recorded_at is not null group by 1) g) as activations,
    (select count(*)::int from activations where overdue) as overdue,
    (select min(received_at) from callbacks where verdict = 'unmatched') as unmatched,
    (select min(submitted_at) from activations
      where recorded_at is not null and status in ('pending', 'partial')) as pending`)
  t.strictSame(body.profiles, scan.profiles)
  const { overdue, ...byStatus } = body.activations
  t.equal(overdue, scan.overdue)
  t.ok(overdue > 0, 'some are overdue')
  t.strictSame(withoutZeros(byStatus), scan.activations)
  t.strictSame(withoutZeros(body.callbacks.byVerdict), scan.verdicts)
  t.ok(Object.keys(scan.verdicts).length >= 4, `verdicts: ${Object.keys(scan.verdicts)}`)
  t.equal(body.oldestUnmatchedAt, scan.unmatched?.toISOString() ?? null)
  t.equal(body.oldestPendingAt, scan.pending?.toISOString() ?? null)
  t.equal(body.callbacks.perMinute.length, 60)
  const total = body.callbacks.perMinute.reduce((sum: number, { count }: { count: number }) => sum + count, 0)
  const ofVerdict = (verdict: string) =>
    body.callbacks.perMinute.reduce((sum: number, { byVerdict }: Row) => sum + byVerdict[verdict], 0)
  for (const [verdict, count] of Object.entries(scan.verdicts)) t.equal(ofVerdict(verdict), count, verdict)
  t.equal(
    total,
    Object.values<number>(scan.verdicts).reduce((sum, count) => sum + count, 0),
  )
})

t.test('the summary counts the accounts of the token alone', async t => {
  const token = (name: string, accounts: string) =>
    `${name}:read,activate:${accounts}:${createHash('sha256').update(`secret-${name}`).digest('hex')}`
  const service = await startTestService(t, {
    THINGSPACE_ACCOUNT: account,
    CALLBACK_USERNAME: 'name',
    CALLBACK_PASSWORD: 'right',
    API_TOKENS: [token('mine', account), token('theirs', other), token('all', '*')].join(';'),
  })
  const bearer = (name: string) => ({ authorization: `Bearer secret-${name}` })
  await service.callback(makeCallback({ ...device(1), username: 'name', password: 'right' }))
  const ask = async (name: string) => (await service.get('/v1/summary', bearer(name))).body
  const nothing = { profiles: { length: 0 }, oldestUnmatchedAt: null, oldestPendingAt: null }
  t.match(await ask('mine'), {
    profiles: [{ state: 'ACTIVE', profileRole: 'LEAD', profileStatus: 'ENABLE', count: 1 }],
  })
  t.strictSame((await ask('all')).profiles, (await ask('mine')).profiles)
  const theirs = await ask('theirs')
  t.match(theirs, nothing)
  t.equal(theirs.callbacks.byVerdict.unmatched, 0)
  t.ok(theirs.callbacks.perMinute.every(({ count }: { count: number }) => count === 0))
  t.match(await service.get('/v1/summary?accountName=x', bearer('mine')), {
    status: 400,
    body: { errorMessage: /accountName is not known/ },
  })
  const askAgain = async () => {
    const tag = (await service.get('/v1/summary', bearer('mine'))).headers.get('etag') ?? ''
    return (await service.get('/v1/summary', { ...bearer('mine'), 'if-none-match': tag })).status
  }
  // With each minute it is another one.
  t.ok(await until(askAgain, status => status === 304))
})

/** One thing that may happen: a callback of some kind, or a record, for few devices and requests, so that they meet. */
function step(service: TestService, pick: <T>(values: readonly T[]) => T): () => Promise<unknown> {
  const requestId = `request-${pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])}`
  const of = { account: pick([account, other]), service: pick(['CarrierService', 'DeviceProfileService']) }
  const [ids, more] = [device(pick([1, 2, 3, 4, 5, 6])), device(pick([5, 6, 7, 8]))]
  const made = {
    requestId,
    ...ids,
    state: pick(['ACTIVE', 'SUSPEND', 'DEACTIVE']),
    profileRole: pick(['LEAD', 'LOCAL']),
    status: pick(['SUCCESS', 'SUCCESS', 'warning']),
  }
  const submittedAt = pick(['2026-01-01T00:00:00Z', undefined])
  return pick([
    () => service.callback(makeCallback(made), of),
    () => service.callback(makeCallback(made), of),
    () => service.callback(makeFault(made), of),
    () => service.callback({ requestId, deviceResponse: { anything: 1 } }, of),
    () => service.callback({ ...makeCallback(made), requestId: 7 }, of),
    () =>
      service.record(requestId, [ids, more], {
        accountName: of.account,
        ...(submittedAt === undefined ? {} : { submittedAt }),
      }),
  ])
}

function withoutZeros(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}
