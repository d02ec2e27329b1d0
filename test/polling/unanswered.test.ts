import t from 'tap'
import { mostPolls, mostPollsUnanswered } from '../../src/polling/ask-carrier.ts'
import { access, until } from '../fixtures/carrier.ts'
import { device } from '../fixtures/make-callback.ts'
import { startTestService } from '../fixtures/service.ts'
import { json, startCarrier } from '../thingspace/client-carrier.ts'

t.test(
  'a request that the carrier can not answer for has its tries, and keeps no other from being asked about',
  async t => {
    const carrier = await startCarrier(t)
    const subRequests = [{ ids: [{ kind: 'iccid', id: device(2).iccid }], status: 'Success' }]
    carrier.answers.action = (response, call) => {
      const answer = call.path.includes('never-answered') ? json(500, {}) : json(200, body(call.path))
      answer(response, call)
    }
    const body = (path: string) => ({ requestId: path.split('/').at(-2), status: 'Success', subRequests })
    const service = await startTestService(t, { ...access, THINGSPACE_BASE_URL: carrier.baseUrl, EXPECT_WITHIN: '1s' })
    await service.record('never-answered', [device(1)], { submittedAt: '2026-01-01T00:00:00Z' })
    await service.record('well-answered', [device(2)], { submittedAt: '2026-01-02T00:00:00Z' })
    const polls = (requestId: string) =>
      service.sql(
        `select polls, outcome, stopped_because from polls join activations on id = activation_id
       where request_id = $1 and polls > 0`,
        [requestId],
      )
    const settled = await until(
      () => polls('well-answered'),
      rows => rows.length > 0,
    )
    t.strictSame(settled, [{ polls: 1, outcome: 'settled', stopped_because: 'settled' }])
    const unanswered = await until(
      () => polls('never-answered'),
      rows => rows.length > 0,
    )
    t.strictSame(unanswered, [{ polls: 1, outcome: 'unreachable', stopped_because: null }])

    const askedFor = (tries: number) =>
      service.sql(`update polls set polls = ${tries - 1}, next_poll_at = now() where stopped_at is null`)
    const after = (tries: number) =>
      until(
        () => polls('never-answered'),
        ([row]) => row.polls === tries,
      )
    await askedFor(mostPolls)
    t.match(await after(mostPolls), [{ stopped_because: null }], 'the carrier may not be well for more than half a day')
    await askedFor(mostPollsUnanswered)
    t.match(await after(mostPollsUnanswered), [{ outcome: 'unreachable', stopped_because: 'tries' }])
  },
)

t.test('a request that is refused to every session is not asked about for ever', async t => {
  const carrier = await startCarrier(t, { action: json(401, { errorCode: '401' }) })
  const service = await startTestService(t, { ...access, THINGSPACE_BASE_URL: carrier.baseUrl, EXPECT_WITHIN: '1s' })
  await service.record('never-allowed', [device(1)], { submittedAt: '2026-01-01T00:00:00Z' })
  const asked = (polls: number) =>
    until(
      () => service.sql('select polls, outcome, stopped_because from polls where outcome is not null'),
      ([row]) => row?.polls === polls,
    )
  t.match(await asked(1), [{ outcome: 'unauthorized', stopped_because: null }])
  await service.sql(`update polls set polls = ${mostPollsUnanswered - 1}, next_poll_at = now()`)
  await service.sql(`delete from carrier_turns where name = 'put off'`)
  t.match(await asked(mostPollsUnanswered), [{ outcome: 'unauthorized', stopped_because: 'tries' }])
})

t.test('a carrier that takes no requests costs none of them a try', async t => {
  const carrier = await startCarrier(t, { action: json(429, { errorCode: '429' }, { 'retry-after': '999999' }) })
  const service = await startTestService(t, { ...access, THINGSPACE_BASE_URL: carrier.baseUrl, EXPECT_WITHIN: '1s' })
  for (const n of [1, 2]) await service.record(`told-${n}`, [device(n)], { submittedAt: '2026-01-01T00:00:00Z' })
  const putOff = await until(
    () =>
      service.sql(
        `select until <= now() + interval '1 hour' as soon from carrier_turns
         where name = 'put off' and until > now() + interval '50 minutes'`,
      ),
    rows => rows.length > 0,
  )
  t.strictSame(putOff, [{ soon: true }])
  const polls = await until(
    () => service.sql('select polls, stopped_at from polls'),
    rows => rows.length === 2,
  )
  t.strictSame(polls, [
    { polls: 0, stopped_at: null },
    { polls: 0, stopped_at: null },
  ])
})
