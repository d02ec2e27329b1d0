import t from 'tap'
import { delayAfter, mostPolls } from '../../src/polling/ask-carrier.ts'
import {
  activatePath,
  asked,
  requestFor,
  startCarrier,
  startSendingService,
  statusPath,
  until,
} from '../fixtures/carrier.ts'
import { device } from '../fixtures/make-callback.ts'
import { account } from '../fixtures/service.ts'

const soon = { EXPECT_WITHIN: '1s' }

t.test('polls come at growing intervals, and stop, also where the carrier knows nothing of it', async t => {
  const carrier = await startCarrier(t)
  const service = await startSendingService(t, carrier, soon)
  await service.record('not-the-carriers-1', [device(1)], { submittedAt: '2026-01-01T00:00:00Z' })
  const poll = async (polls: number) => {
    const [row] = await until(
      () =>
        service.sql(
          `select polls, outcome, stopped_because, extract(epoch from next_poll_at - now())::int as wait from polls
           where polls >= $1`,
          [polls],
        ),
      rows => rows.length > 0,
    )
    return row
  }
  const first = await poll(1)
  t.match(first, { outcome: 'refused', stopped_because: null })
  t.ok(first.wait > 20 && first.wait <= 30, `then after ${first.wait} s`)
  await service.sql('update polls set polls = 4, next_poll_at = now()')
  const fifth = await poll(5)
  t.ok(fifth.wait > 450 && fifth.wait <= 480, `then after ${fifth.wait} s`)
  await service.sql(`update polls set polls = ${mostPolls - 1}, next_poll_at = now()`)
  t.match(await poll(mostPolls), { stopped_because: 'tries' })
  await service.sql('update polls set next_poll_at = now()')
  const before = asked(carrier, statusPath)
  await new Promise(resolve => setTimeout(resolve, 3_000))
  t.equal(asked(carrier, statusPath), before, 'it is not asked about any more')
  t.equal(before, 3)
})

t.test('the last poll comes when the twelve hours are over that an activation may take, and no sooner', async t => {
  const pauses = Array.from({ length: mostPolls - 1 }, (_, polls) => delayAfter(polls))
  const hours = pauses.reduce((sum, ms) => sum + ms, 0) / 3_600_000
  t.ok(hours >= 12 && hours < 13, `${hours} hours`)
})

t.test('of two replicas one asks, and both keep the pace', async t => {
  const carrier = await startCarrier(t, { settings: { never: 1, callbackAfterMs: 60_000 } })
  const one = await startSendingService(t, carrier, soon)
  const other = await startSendingService(t, carrier, { ...soon, DATABASE_URL: one.databaseUrl })
  const { length } = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      (n % 2 ? one : other).call('POST', '/v1/activations', { body: requestFor(n) }),
    ),
  )
  t.equal(asked(carrier, activatePath), length)
  await until(
    () => asked(carrier, statusPath),
    count => count >= length,
  )
  await new Promise(resolve => setTimeout(resolve, 2_500))
  const paths = carrier.asked().flatMap(({ path }) => (statusPath.test(path) ? [path] : []))
  t.equal(paths.length, length)
  t.equal(new Set(paths).size, length, 'each is asked about once')

  // All slots are used up for a while but one.
  await one.sql(`update carrier_slots set free_at = now() + interval '50 seconds' where slot > 1`)
  const started = Date.now()
  await one.sql(`update carrier_slots set free_at = now() + interval '2 seconds' where slot = 1`)
  const answers = await Promise.all([
    one.call('POST', '/v1/activations', { body: requestFor(21) }),
    other.call('POST', '/v1/activations', { body: requestFor(22) }),
  ])
  const [taken, refused] = answers.toSorted((a, b) => a.status - b.status)
  t.match(taken, { status: 202 })
  t.ok(Date.now() - started >= 1_900, 'a short wait is waited')
  t.match(refused, { status: 429, body: { errorMessage: /nothing was sent/ } })
  t.match(refused?.headers.get('retry-after'), /^(3[1-9]|4\d|50)$/, 'a long one is told, in whole seconds')
  const rows = await one.sql('select count(*)::int as count from submissions where account_name = $1', [account])
  t.strictSame(rows, [{ count: length + 1 }])
})
